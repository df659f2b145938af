package domain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// epoch is the start of the tests' histories; each event is a second later.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// nth makes the n-th id of any kind.
func nth(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("019b0000-0000-7000-8000-%012x", n))
}

var (
	tenantID  = domain.TenantID(nth(1))
	projectID = domain.ProjectID(nth(2))
	taskID    = domain.TaskID(nth(3))
	commentID = domain.CommentID(nth(4))
	webhookID = domain.SecretID(nth(5))
)

// moment is the time of the n-th event of a history.
func moment(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// actor is the n-th person in a role.
func actor(n int, r domain.Role) domain.Actor {
	return domain.Actor{ID: person(n), Name: fmt.Sprintf("Person %d", n), Role: r}
}

func person(n int) domain.UserID { return domain.UserID(nth(100 + n)) }

// evolver is an aggregate's state.
type evolver[S any] interface {
	Evolve(domain.Recorded) (S, error)
}

// tester is the part of a test, a fuzz target or a property that the helpers use.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// fold returns the state after the events, each encoded and decoded first. by is the
// actor.
func fold[S evolver[S]](t tester, stream domain.StreamID, by domain.Actor, events ...domain.Event) S {
	t.Helper()
	var s S
	for i, e := range events {
		var err error
		if s, err = s.Evolve(record(t, stream, i+1, by, e)); err != nil {
			t.Fatalf("fold %s: %v", e.EventType(), err)
		}
	}
	return s
}

// record encodes and decodes an event and gives it a position in its stream.
func record(t tester, stream domain.StreamID, version int, by domain.Actor, e domain.Event) domain.Recorded {
	t.Helper()
	return domain.Recorded{
		Tenant: tenantID, Seq: int64(version), Stream: stream, Version: version,
		At: moment(version), Actor: by.ID, Event: stored(t, e),
	}
}

// stored is the event encoded and decoded.
func stored(t tester, e domain.Event) domain.Event {
	t.Helper()
	d, data, err := domain.Encode(e)
	if err != nil {
		t.Fatalf("encode %T: %v", e, err)
	}
	back, err := domain.Decode(d.Type, d.Version, data)
	if err != nil {
		t.Fatalf("decode %s: %v", data, err)
	}
	return back
}

// scenario is: given these events, when this command, then these events or this
// refusal. Without either, the command has no effect.
type scenario[C any] struct {
	name  string
	given []domain.Event
	by    domain.Actor
	when  C

	then    []domain.Event
	refused domain.Code
	// at are the pointers of the invalid fields, joined by a space.
	at string
	// with are members of the problem document that must be there.
	with map[string]any
}

// subject is the aggregate of scenarios: its stream, the actor of the given events,
// and its decision.
type subject[S evolver[S], C any] struct {
	stream domain.StreamID
	author domain.Actor
	decide func(S, domain.Actor, C) ([]domain.Event, error)
}

func (sub subject[S, C]) run(t *testing.T, scenarios []scenario[C]) {
	t.Helper()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			state := fold[S](t, sub.stream, sub.author, sc.given...)
			before := snapshot(t, state)
			got, err := sub.decide(state, sc.by, sc.when)
			if after := snapshot(t, state); after != before {
				t.Errorf("the decision changed its argument from\n%s\nto\n%s", before, after)
			}
			if sc.refused != "" {
				refusedWith(t, got, err, sc.refused, sc.at, sc.with)
				return
			}
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(sc.then, got); diff != "" {
				t.Fatalf("events (-want +got):\n%s", diff)
			}
			for i, e := range got {
				if state, err = state.Evolve(record(t, sub.stream, len(sc.given)+i+1, sc.by, e)); err != nil {
					t.Fatalf("the fold refuses the decided events: %v", err)
				}
			}
		})
	}
}

func refusedWith(t *testing.T, got []domain.Event, err error, code domain.Code, at string, with map[string]any) {
	t.Helper()
	var refusal *domain.Error
	if !errors.As(err, &refusal) || refusal.Code != code || got != nil {
		t.Fatalf("got %v, %v; want the refusal %s", got, err, code)
	}
	var pointers []string
	for _, f := range refusal.Fields {
		pointers = append(pointers, f.Pointer)
		if f.Code == "" || f.Detail == "" {
			t.Errorf("the finding at %s lacks a code or a detail", f.Pointer)
		}
	}
	if joined := strings.Join(pointers, " "); joined != at && (at != "" || code == domain.CodeValidationFailed) {
		t.Errorf("found at %q, want %q", joined, at)
	}
	for member, want := range with {
		if diff := cmp.Diff(want, refusal.Members[member]); diff != "" {
			t.Errorf("member %s (-want +got):\n%s", member, diff)
		}
	}
}

// fault is one fault of an attempt X, and its refusal.
type fault[X any] struct {
	name   string
	code   domain.Code
	inject func(*X)
}

// ladder tries every combination of the faults, which are in the contract's order:
// each must be refused for its first fault, and an attempt without faults accepted.
func ladder[X any](t *testing.T, attempt func(*testing.T, X) ([]domain.Event, error), faults ...fault[X]) {
	t.Helper()
	for combination := range 1 << len(faults) {
		var x X
		var want domain.Code
		var names []string
		for i, f := range faults {
			if combination&(1<<i) == 0 {
				continue
			}
			f.inject(&x)
			names = append(names, f.name)
			if want == "" {
				want = f.code
			}
		}
		t.Run(strings.Join(append(names, "then"), "+"), func(t *testing.T) {
			events, err := attempt(t, x)
			switch {
			case want == "" && (err != nil || len(events) != 1):
				t.Fatalf("without a fault: %v, %v", events, err)
			case want != "" && (domain.CodeOf(err) != want || events != nil):
				t.Fatalf("%v: got %v, want %s", names, err, want)
			}
		})
	}
}

// snapshot renders a state with everything that it points to, so that a later change
// can be detected.
func snapshot(t tester, state any) string {
	t.Helper()
	b, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ptr[T any](v T) *T { return &v }
