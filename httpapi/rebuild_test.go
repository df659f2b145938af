package httpapi

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/projections"
	"docket/projections/rebuild"
)

var rebuilds = flag.Int("rebuild.rounds", 2, "how often TestReadsDuringRebuild rebuilds everything")

// Rebuilds of everything while the API answers: all answers are byte for byte
// the same before, during and after.
func TestReadsDuringRebuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type reading struct {
		by     person
		target string
		of     domain.TenantID
	}
	var readings []reading
	var acme domain.TenantID
	for _, word := range []string{"bolt", "acme"} {
		e := newEstate(w, word)
		acme = e.id
		for target, p := range e.reads {
			readings = append(readings, reading{p, target, e.id})
		}
		for _, p := range e.staff {
			readings = append(readings, reading{p, "/v1/me", e.id}, reading{p, "/v1/tenants", e.id},
				reading{p, "/v1/notifications", e.id}, reading{p, "/v1/projects?limit=1", e.id})
		}
	}
	l := newListed(w, "coil")
	for _, target := range l.lists {
		readings = append(readings, reading{l.reader(target), target, l.id}, reading{l.reader(target), withQuery(target, "limit", 2), l.id})
	}
	now := time.Now() // a report's weeks are the last ones
	w.server.now = func() time.Time { return now }
	read := func(r reading) string {
		a := r.by.get(r.target)
		return fmt.Sprint(a.Code, a.Header().Get("ETag"), a.Body)
	}
	w.checkpointed() // statistics show how far the checkpoints are behind
	before := make([]string, len(readings))
	for i, r := range readings {
		if before[i] = read(r); before[i][:3] != "200" {
			t.Fatal(r.target, before[i])
		}
	}

	var reader sync.WaitGroup
	done := make(chan struct{})
	rounds := 0
	same := func(when string, tenants ...domain.TenantID) {
		for i, r := range readings {
			if len(tenants) > 0 && !slices.Contains(tenants, r.of) {
				continue
			}
			if now := read(r); now != before[i] {
				t.Errorf("%s of %s %s:\n%s\n%s", r.target, r.by.name, when, before[i], now)
			}
		}
	}
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				same("during the rebuild")
				rounds++
			}
		}
	})
	rebuilt := map[string]int{}
	for round := range *rebuilds {
		err := w.rebuild.Rebuild(t.Context(), nil, nil, func(p rebuild.Progress) {
			if p.Done {
				rebuilt[p.Model]++
			}
			// Between the last page and the flip, and between the flip and the end
			// of the old rows, there are two rows of each.
			if round == 0 && p.Tenant == acme {
				same(fmt.Sprintf("when %s is at %d (done: %t)", p.Model, p.Seq, p.Done), acme)
			}
		})
		if err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	reader.Wait()
	same("after the rebuild")
	for _, model := range projections.Models() {
		if rebuilt[model] < *rebuilds*4 { // four tenants
			t.Errorf("%s was rebuilt %d times", model, rebuilt[model])
		}
	}
	if rounds == 0 {
		t.Error("no request read during the rebuild")
	}
	// The rebuilt rows go on being kept up to date.
	p := readings[0].by.project("after the rebuild")
	readings[0].by.get("/v1/projects/" + p.ID.String()).want(200)
}
