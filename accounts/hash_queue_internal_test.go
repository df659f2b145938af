package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"docket/domain"
)

func network(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32)
}

// waiting is a hash that waits in a queue whose places are taken.
func (q *hashQueue) waiting(t *testing.T, c client) *waitingHash {
	t.Helper()
	w := &waitingHash{c, make(chan error, 1)}
	if !q.lineOf(c).add(w) {
		t.Fatalf("%v was refused", c)
	}
	return w
}

// Known addresses are first; in each line addresses take turns.
func TestOrderOfHashes(t *testing.T) {
	t.Parallel()
	q := newHashQueue(1)
	if err := q.acquire(t.Context(), client{}); err != nil {
		t.Fatal(err)
	}
	all := map[string]*waitingHash{}
	var served []string
	for i, c := range []client{{network(1), false}, {network(1), false}, {network(1), false}, {network(2), false}, {network(3), true}, {network(3), true}, {network(4), true}} {
		all[fmt.Sprint(i)] = q.waiting(t, c)
	}
	for range len(all) {
		q.release()
		for name, w := range all {
			if len(w.turn) == 1 {
				served = append(served, name)
				delete(all, name)
				if err := <-w.turn; err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if want := []string{"4", "6", "5", "0", "3", "1", "2"}; !slices.Equal(served, want) {
		t.Errorf("served %v, want %v", served, want)
	}
	q.release()
	if q.free != 1 || q.known.count != 0 || q.others.count != 0 || len(q.others.byAddress) != 0 || len(q.others.turns) != 0 {
		t.Errorf("left %+v", q)
	}
}

// An address that fills the line makes room for others.
func TestFullLineOfHashes(t *testing.T) {
	t.Parallel()
	q := newHashQueue(1)
	if err := q.acquire(t.Context(), client{}); err != nil {
		t.Fatal(err)
	}
	var flood []*waitingHash
	for range maxWaitingHashes {
		flood = append(flood, q.waiting(t, client{network(1), false}))
	}
	if err := q.acquire(t.Context(), client{network(1), false}); domain.CodeOf(err) != domain.CodeOverloaded {
		t.Errorf("one more of the address: %v", err)
	}
	honest := q.waiting(t, client{network(2), false})
	if err := <-flood[maxWaitingHashes-1].turn; domain.CodeOf(err) != domain.CodeOverloaded {
		t.Errorf("the last of the flood: %v", err)
	}
	q.waiting(t, client{network(2), true}) // a line of its own
	q.release()
	q.release()
	q.release()
	if len(honest.turn) != 1 {
		t.Error("the other address waits longer than for one of the flood")
	}
	if len(flood[0].turn) != 1 || len(flood[1].turn) != 0 {
		t.Error("the flood had another turn than one")
	}
}

// A request that ends leaves the line.
func TestHashThatIsNotAwaited(t *testing.T) {
	t.Parallel()
	q := newHashQueue(1)
	if err := q.acquire(t.Context(), client{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.acquire(ctx, client{network(1), false}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if q.others.count != 0 {
		t.Error("it is still in the line")
	}
	q.release()
	if err := q.acquire(t.Context(), client{}); err != nil {
		t.Error(err)
	}
}
