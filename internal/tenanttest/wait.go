package tenanttest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// MaxWait is how long a test waits for what must happen: more than any machine needs.
const MaxWait = 2 * time.Minute

// The pause between two looks at what another goroutine or session does grows from firstPause
// to lastPause: a test that looks without one keeps it from going on, and one that looks often
// for long takes the processor from it.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 25 * time.Millisecond
)

// Eventually waits until check is true. It fails the test with what is missing, and with
// the state that check gives, after MaxWait.
func Eventually(t TB, missing string, check func() (done bool, state any)) {
	t.Helper()
	pause := firstPause
	for deadline := time.Now().Add(MaxWait); ; time.Sleep(pause) {
		pause = min(pause*5/4, lastPause)
		done, state := check()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s %s: %v", MaxWait, missing, state)
		}
	}
}

// Until repeats a yes-or-no query until it answers yes. It fails the test after MaxWait.
func Until(t testing.TB, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), MaxWait)
	defer cancel()
	Eventually(t, "the database still answers no to "+sql, func() (yes bool, parameters any) {
		if err := q.QueryRow(ctx, sql, args...).Scan(&yes); err != nil {
			t.Fatalf("waiting for %s: %v", sql, err)
		}
		return yes, args
	})
}

// Receive is the next value of a channel, or the zero value once it is closed. It fails
// the test with what is missing after MaxWait.
func Receive[T any](t TB, missing string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(MaxWait):
		t.Fatalf("after %s %s", MaxWait, missing)
	}
	return v
}
