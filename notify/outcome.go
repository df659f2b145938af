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

// finishSQL records the outcomes of an attempt at deliveries ($2, $3 the attempts' numbers)
// of a tenant ($1), unless a later attempt has begun: $4 states, $5 problems, $6 the
// seconds until what stays queued is due, $7 which count as not attempted.
const finishSQL = `update deliveries d set state = f.state, problem = nullif(f.problem, ''), leased_until = null,
  attempts = d.attempts - f.given_back::integer,
  due_at = case when f.state = 'queued' then statement_timestamp() + make_interval(secs => f.after) else d.due_at end,
  finished_at = case when f.state <> 'queued' then statement_timestamp() end
from unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::float8[], $7::boolean[])
  as f (id, number, state, problem, after, given_back)
where d.tenant_id = $1 and d.id = f.id and d.attempts = f.number and d.finished_at is null`

// state is a delivery's. The names are part of the database.
type state string

const (
	// queued: an attempt is due, or under way.
	queued state = "queued"
	// sent: the receiver accepted the message.
	sent state = "sent"
	// dead: no attempt has succeeded, and there is no other.
	dead state = "dead"
	// withdrawn: when it was due, the message was for no member, about nothing that exists,
	// or over no channel of the tenant's any more.
	withdrawn state = "withdrawn"
	// capped: the recipient had as many messages as Limits allow.
	capped state = "capped"
)

// outcome is what an attempt at a delivery came to.
type outcome struct {
	state state
	// after is when a queued delivery is due again.
	after time.Duration
	// problem is why it wasn't sent, in words that a tenant may read.
	problem string
	// givenBack: the attempt doesn't count, since this replica is why it failed, or the
	// receiver asked for a pause.
	givenBack bool
}

// outcomeOf is the outcome of the number-th of at most limit attempts at a delivery of an
// age.
func outcomeOf(err error, number, limit int, age time.Duration) outcome {
	if err == nil {
		return outcome{state: sent}
	}
	f := &Failure{Problem: "internal error"}
	errors.As(err, &f)
	switch {
	case f.Elsewhere && age < elsewhereFor:
		return outcome{state: queued, after: min(max(age/2, elsewhereFirst), elsewhereMost), problem: f.Problem, givenBack: true}
	case f.Permanent, f.Elsewhere:
		return outcome{state: dead, problem: f.Problem}
	case number >= limit:
		return outcome{state: dead, problem: "no attempts left: " + f.Problem}
	}
	return outcome{state: queued, after: max(pauseAfter(number), min(f.After, longestPause)), problem: f.Problem}
}

// pauseAfter is the pause after the number-th attempt, plus or minus a quarter:
// deliveries that failed together are not retried together.
func pauseAfter(number int) time.Duration {
	pause := min(firstPause<<min(number-1, 20), longestPause)
	return pause*3/4 + rand.N(pause/2)
}
