//go:build linux

package faults_test

import (
	"fmt"
	"strings"
	"time"

	"docket/domain"
)

// outcome is what a client knows of its command.
type outcome string

const (
	// acked: answered with success.
	acked outcome = "acked"
	// refused: answered that it was not carried out, or never sent.
	refused outcome = "refused"
	// unknown: no answer that says which.
	unknown outcome = "unknown"
)

// command is one command in a client's record. Times are since the run began.
type command struct {
	// ID is the beginning of the ids of its requests; each attempt adds its number.
	ID     string
	Tenant domain.TenantID
	Actor  domain.UserID
	Kind   kind
	// Stream is the aggregate; zero where the command creates one and got no answer.
	Stream domain.StreamID
	// Expected is the version of If-Match; 0 where none was sent.
	Expected int

	Invoked, Completed time.Duration
	Attempts           int
	Outcome            outcome
	// Replayed: the answer is that of an earlier attempt.
	Replayed bool

	// What the last answer said: status, problem code, Docket-Seq, version of the
	// body, current_version of a problem. 0 or empty where it didn't.
	Status  int
	Code    domain.Code
	Seq     int64
	Version int
	Current int
	// Failure is why there is no answer.
	Failure string
}

// kind is what a command does. Each writes one event.
type kind string

const (
	createProject kind = "create project"
	moveProject   kind = "move project"
	createTask    kind = "create task"
	editTask      kind = "edit task"
	assignTask    kind = "assign task"
	comment       kind = "comment"
	changeRole    kind = "change role"
)

// request is the id of one attempt's request.
func (c *command) request() string { return fmt.Sprintf("%s.%d", c.ID, c.Attempts) }

// commandOf is the command's id in a request's, and whether it is one of ours.
func commandOf(request string) (id string, ok bool) {
	if !strings.HasPrefix(request, "cmd-") {
		return "", false
	}
	id, _, ok = strings.Cut(request, ".")
	return id, ok
}

func (c *command) String() string {
	return fmt.Sprintf("%s (%s of %s in %s, asked at %s, answered at %s: %s %d %s seq %d version %d, %d attempts %s)",
		c.ID, c.Kind, c.Stream, c.Tenant, c.Invoked.Round(time.Microsecond), c.Completed.Round(time.Microsecond),
		c.Outcome, c.Status, c.Code, c.Seq, c.Version, c.Attempts, c.Failure)
}

// read is one read of a task that had to show at least a version.
type read struct {
	Request string
	Tenant  domain.TenantID
	Stream  domain.StreamID
	// Least is the version that was acknowledged before, Shown the one that came.
	Least, Shown int
	At           time.Duration
}
