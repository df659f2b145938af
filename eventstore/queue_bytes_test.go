package eventstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
)

// heavy are Commits of a small event each, with much text elsewhere, by where it is.
var heavy = map[string]func(*eventstore.Commit, string){
	"aside":   func(c *eventstore.Commit, text string) { c.Entry.Aside, _ = json.Marshal(text) },
	"refusal": func(c *eventstore.Commit, text string) { c.Entry.Refusal, _ = json.Marshal(text) },
	"meta":    func(c *eventstore.Commit, text string) { c.Meta.RequestID = text },
	"claim": func(c *eventstore.Commit, text string) {
		c.Claims = []eventstore.Claim{{Tenant: c.Entry.Tenant, Kind: "k", Value: text + c.Command.String()}}
	},
}

func heavyCommit(t *testing.T, tenant domain.TenantID, where string, bytes int) eventstore.Commit {
	t.Helper()
	c := commit(t, part(tenant, newStream(t), 0, 1))
	c.Entry = entry(tenant, c.Command.String())
	heavy[where](&c, strings.Repeat("x", bytes))
	return c
}

// The bounds of the queue hold for all that a Commit carries: the Commits of a batch, and
// those of a tenant that wait, have their bytes at most.
func TestQueueCountsAllBytes(t *testing.T) {
	t.Parallel()
	for where := range heavy {
		const size = eventstore.BatchBytes * 3 / 10 // three in a batch, if it has any room beside
		var commits []eventstore.Commit
		for range 12 {
			commits = append(commits, heavyCommit(t, tenanttest.NewID[domain.TenantID](t), where, size))
		}
		batches, err := eventstore.Batches(commits, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			if len(b)*size > eventstore.BatchBytes {
				t.Errorf("%s: a batch has %d Commits of %d bytes", where, len(b), size)
			}
		}

		f := eventstore.New(nil, nil, nil)
		f.Hold()
		tenant, waiting := tenanttest.NewID[domain.TenantID](t), 0
		for range 2 * eventstore.QueueBytesTenant / size {
			_, err := f.Enqueue(heavyCommit(t, tenant, where, size))
			if err != nil && !errors.Is(err, eventstore.ErrOverloaded) {
				t.Fatal(err)
			}
			if err == nil {
				waiting++
			}
		}
		if waiting*size > eventstore.QueueBytesTenant || (waiting+1)*size < eventstore.QueueBytesTenant*9/10 {
			t.Errorf("%s: %d Commits of %d bytes wait for one tenant", where, waiting, size)
		}
		if _, err := f.Enqueue(heavyCommit(t, tenanttest.NewID[domain.TenantID](t), where, size)); err != nil {
			t.Errorf("%s: another tenant's Commit: %v", where, err)
		}
	}
}

// A Commit that is larger than the bound of its lane waits alone: it would be refused for
// ever otherwise.
func TestLargestCommitWaitsAlone(t *testing.T) {
	t.Parallel()
	f := eventstore.New(nil, nil, nil)
	f.Hold()
	tenant := tenanttest.NewID[domain.TenantID](t)
	if _, err := f.Enqueue(heavyCommit(t, tenant, "aside", eventstore.QueueBytesTenant+1)); err != nil {
		t.Errorf("the first: %v", err)
	}
	if _, err := f.Enqueue(heavyCommit(t, tenant, "aside", 1)); !errors.Is(err, eventstore.ErrOverloaded) {
		t.Errorf("one beside it: got %v, want ErrOverloaded", err)
	}
}
