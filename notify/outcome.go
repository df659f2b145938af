package notify

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// firstPause is the time between the first attempt and the second; it doubles
	// from attempt to attempt.
	firstPause = 10 * time.Second
	// longestPause is its limit, and that of what a receiver may ask for.
	longestPause = 6 * time.Hour
	// elsewhereFirst and elsewhereMost are the limits of the pause after an attempt that
	// another replica may succeed with: half the delivery's age, so that a message which no
	// replica can send is taken ever less often. elsewhereFor is the age at which it is dead.
	elsewhereFirst, elsewhereMost = 5 * time.Second, 10 * time.Minute
	elsewhereFor                  = 24 * time.Hour
)

// ownAttempt is the condition of a statement that finishes an attempt ($3) at a
// delivery ($2) of a tenant ($1): that no later attempt has begun.
const ownAttempt = ` where tenant_id = $1 and id = $2 and attempts = $3 and finished_at is null`

// sentSQL records that a delivery was sent.
const sentSQL = `update deliveries set state = 'sent', problem = null, leased_until = null,
  finished_at = statement_timestamp()` + ownAttempt

// retrySQL makes a delivery due again in $4 seconds, because of a problem ($5).
const retrySQL = `update deliveries set problem = $5, leased_until = null,
  due_at = statement_timestamp() + make_interval(secs => $4)` + ownAttempt

// giveBackSQL makes a delivery due again in $4 seconds as if the attempt had not begun, but
// for the problem ($5).
const giveBackSQL = `update deliveries set attempts = attempts - 1, problem = $5, leased_until = null,
  due_at = statement_timestamp() + make_interval(secs => $4)` + ownAttempt

// deadSQL records that a delivery will not be sent, because of a problem ($4).
const deadSQL = `update deliveries set state = 'dead', problem = $4, leased_until = null,
  finished_at = statement_timestamp()` + ownAttempt

// outcome is what an attempt came to: sent, retry, givenBack or dead.
type outcome interface {
	// finish is the statement that records it, and its parameters after the third.
	finish() (query string, args []any)
}

// sent: the receiver accepted the message.
type sent struct{}

// retry: another attempt is due after a pause.
type retry struct {
	after   time.Duration
	problem string
}

// givenBack: the attempt doesn't count, since this replica is why it failed.
type givenBack retry

// dead: there is no other attempt.
type dead struct{ problem string }

func (sent) finish() (string, []any)    { return sentSQL, nil }
func (r retry) finish() (string, []any) { return retrySQL, []any{r.after.Seconds(), r.problem} }
func (g givenBack) finish() (string, []any) {
	return giveBackSQL, []any{g.after.Seconds(), g.problem}
}
func (d dead) finish() (string, []any) { return deadSQL, []any{d.problem} }

// outcomeOf is the outcome of the number-th of at most limit attempts at a delivery of an
// age.
func outcomeOf(err error, number, limit int, age time.Duration) outcome {
	if err == nil {
		return sent{}
	}
	f := &Failure{Problem: "internal error"}
	errors.As(err, &f)
	switch {
	case f.Elsewhere && age < elsewhereFor:
		return givenBack{min(max(age/2, elsewhereFirst), elsewhereMost), f.Problem}
	case f.Permanent, f.Elsewhere:
		return dead{f.Problem}
	case number >= limit:
		return dead{"no attempts left: " + f.Problem}
	}
	return retry{max(pauseAfter(number), min(f.After, longestPause)), f.Problem}
}

// pauseAfter is the pause after the number-th attempt, plus or minus a quarter:
// deliveries that failed together are not retried together.
func pauseAfter(number int) time.Duration {
	pause := min(firstPause<<min(number-1, 20), longestPause)
	return pause*3/4 + rand.N(pause/2)
}
