package accounts

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"docket/domain"
)

// maxWaitingHashes is how many hashes of each line may wait for a core before
// CodeOverloaded: each takes tens of milliseconds, and 19 MiB while it runs.
const maxWaitingHashes = 50

// client is where a password to be hashed comes from.
type client struct {
	network netip.Prefix
	known   bool // the account has signed in from there before
}

// hashQueue lets so many hashes run at once. Hashes of known addresses are first; in each
// line addresses take turns, whatever the number of their hashes.
type hashQueue struct {
	mu            sync.Mutex
	free          int
	known, others line
}

// line are the waiting hashes by address. An address that had its turn goes to the end.
type line struct {
	count     int
	turns     []netip.Prefix
	byAddress map[netip.Prefix][]*waitingHash
}

// waitingHash is a hash that waits. turn gets nil, or why it will not run.
type waitingHash struct {
	client client
	turn   chan error
}

func newHashQueue(atOnce int) *hashQueue {
	return &hashQueue{free: atOnce, known: newLine(), others: newLine()}
}

func newLine() line { return line{byAddress: map[netip.Prefix][]*waitingHash{}} }

// acquire waits for the client's turn. The caller calls release afterwards, unless there is
// an error: CodeOverloaded, or the context's.
func (q *hashQueue) acquire(ctx context.Context, c client) error {
	w := &waitingHash{c, make(chan error, 1)}
	q.mu.Lock()
	if q.free > 0 { // then nothing waits
		q.free--
		q.mu.Unlock()
		return nil
	}
	admitted := q.lineOf(c).add(w)
	q.mu.Unlock()
	if !admitted {
		return tooManyHashes()
	}
	select {
	case err := <-w.turn:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.lineOf(c).remove(w) { // it had its turn at the same moment
		return <-w.turn
	}
	return ctx.Err()
}

// release gives the place to the next one.
func (q *hashQueue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := q.known.next()
	if next == nil {
		next = q.others.next()
	}
	if next == nil {
		q.free++
		return
	}
	next.turn <- nil
}

func (q *hashQueue) lineOf(c client) *line {
	if c.known {
		return &q.known
	}
	return &q.others
}

// add appends a hash. If the line is full it takes the place of the last one of the address
// with the most, unless that is its own.
func (l *line) add(w *waitingHash) bool {
	if l.count == maxWaitingHashes {
		most := slices.MaxFunc(l.turns, func(a, b netip.Prefix) int { return len(l.byAddress[a]) - len(l.byAddress[b]) })
		waiting := l.byAddress[most]
		if len(waiting) <= len(l.byAddress[w.client.network])+1 {
			return false
		}
		last := waiting[len(waiting)-1]
		l.remove(last)
		last.turn <- tooManyHashes()
	}
	of := w.client.network
	if len(l.byAddress[of]) == 0 {
		l.turns = append(l.turns, of)
	}
	l.byAddress[of] = append(l.byAddress[of], w)
	l.count++
	return true
}

// next takes out the hash whose turn it is; nil if none waits.
func (l *line) next() *waitingHash {
	if l.count == 0 {
		return nil
	}
	of := l.turns[0]
	w := l.byAddress[of][0]
	l.remove(w)
	if len(l.byAddress[of]) > 0 {
		l.turns = append(l.turns[1:], of)
	}
	return w
}

// remove takes out a hash, and reports whether it waited.
func (l *line) remove(w *waitingHash) bool {
	of := w.client.network
	i := slices.Index(l.byAddress[of], w)
	if i < 0 {
		return false
	}
	l.count--
	l.byAddress[of] = slices.Delete(l.byAddress[of], i, i+1)
	if len(l.byAddress[of]) == 0 {
		delete(l.byAddress, of)
		l.turns = slices.DeleteFunc(l.turns, func(a netip.Prefix) bool { return a == of })
	}
	return true
}

func tooManyHashes() error {
	return domain.Refuse(domain.CodeOverloaded, "too many are signing in; try again in a moment")
}
