//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"docket/domain"
	"docket/internal/pgtest"
	"docket/internal/postgres"
	"docket/internal/tenanttest"
)

// A database that has lost acknowledged commits: an older copy that was restored under
// running servers, and an asynchronous standby that was promoted. No server shows or
// decides upon what isn't in the log, no client is stuck, and the read models are those
// of a fresh fold.
func TestLostCommits(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*run) (lose func()){
		"older copy restored": (*run).olderCopy,
		"standby promoted":    (*run).asynchronousStandby,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, *seedFlag, 1)
			settling, settled := untilNearlyOver(t)
			defer settled()
			r.settling = settling
			for _, t := range r.tenants {
				r.keepRows(t)
			}
			r.caughtUp()
			lose := prepare(r)
			before, epoch := r.heads(), r.epoch(r.replicas[0])
			lost := r.doomed(before)
			lose()
			after := r.heads()
			for _, t := range r.tenants {
				if after[t.id] < before[t.id] || after[t.id] >= lost[t.id].head {
					r.t.Fatalf("tenant %s is at seq %d: the fault had to lose something after %d and before %d", t.id, after[t.id], before[t.id], lost[t.id].head)
				}
			}
			r.wantsForgotten(lost)
			one, two := r.epoch(r.replicas[0]), r.epoch(r.replicas[1])
			if one == epoch || one != two {
				r.t.Errorf("the epoch was %s; now it is %s and %s, want a new one, the same on both", epoch, one, two)
			}
			r.epochRecorded(one)
			r.caughtUp()
			r.violated("read models", r.checkModels())
			for _, replica := range r.replicas {
				replica.stop()
			}
		})
	}
}

// keepRows makes a task and a comment, so that every read model has rows to compare.
func (r *run) keepRows(t *tenant) {
	r.t.Helper()
	as := r.newClient(t, t.founder)
	var task struct{ ID domain.TaskID }
	r.must(as, http.MethodPost, "/v1/projects/"+t.projects[0].String()+"/tasks", map[string]any{"title": "Kept"}, &task)
	r.must(as, http.MethodPost, "/v1/tasks/"+task.ID.String()+"/comments", map[string]any{"body": "Kept"}, nil)
}

// olderCopy copies the cluster now, and later puts the copy in its place.
func (r *run) olderCopy() (lose func()) {
	r.t.Helper()
	older := pgtest.DiskDir(r.t)
	if err := r.cluster.server.Stop(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	r.cluster.copyTo(older)
	r.cluster.start()
	return func() {
		r.cluster.kill()
		files := filepath.Join(r.cluster.dir, dataFolder)
		if err := os.RemoveAll(files); err != nil {
			r.t.Fatal(err)
		}
		if out, err := exec.Command("mv", filepath.Join(older, dataFolder), files).CombinedOutput(); err != nil {
			r.t.Fatalf("restore: %v: %s", err, out)
		}
		r.cluster.start()
	}
}

// asynchronousStandby starts a standby that lags from now on, and later kills the primary,
// promotes the standby and moves the proxies over.
func (r *run) asynchronousStandby() (lose func()) {
	r.t.Helper()
	s := r.cluster.newStandby()
	r.caughtUp()
	s.disconnect()
	return func() {
		r.cluster.kill()
		s.promote()
		for _, replica := range r.replicas {
			replica.proxy.lead(r.cluster.socket())
		}
	}
}

// doomed is what the clients of a tenant have of it before it is lost.
type doomed struct {
	// head is the end of its log.
	head int64
	// project is one that is made, and edited one that stays but was changed. version is
	// that of edited.
	project, edited domain.ProjectID
	version         int
}

// doomed makes changes through both replicas, until each knows them, and raises the role
// of the member whose role comes and goes.
func (r *run) doomed(before map[domain.TenantID]int64) map[domain.TenantID]doomed {
	r.t.Helper()
	all := map[domain.TenantID]doomed{}
	for _, t := range r.tenants {
		as := r.newClient(t, t.founder)
		var made, edited struct {
			ID      domain.ProjectID
			Version int
		}
		r.must(as, http.MethodPost, "/v1/projects", map[string]any{"name": "Lost"}, &made)
		d := doomed{project: made.ID, edited: t.projects[0]}
		for i := range 5 {
			r.must(as, http.MethodPatch, "/v1/projects/"+d.edited.String(), map[string]any{"name": fmt.Sprint("Lost ", i)}, &edited)
		}
		d.version = edited.Version
		r.must(as, http.MethodPatch, "/v1/members/"+t.flipped.id.String(), map[string]any{"role": domain.Manager}, nil)
		// Both replicas have decided on the new role.
		flipped := r.newClient(t, t.flipped)
		for _, replica := range r.replicas {
			r.mustAt(replica, flipped, http.MethodPost, "/v1/projects/"+made.ID.String()+"/transitions", map[string]any{"to": domain.Submitted}, nil)
			r.mustAt(replica, flipped, http.MethodPost, "/v1/projects/"+made.ID.String()+"/transitions", map[string]any{"to": domain.Rejected}, nil)
			r.mustAt(replica, flipped, http.MethodPost, "/v1/projects/"+made.ID.String()+"/transitions", map[string]any{"to": domain.Draft}, nil)
		}
		d.head = t.acknowledged()
		if d.head <= before[t.id] {
			r.t.Fatalf("tenant %s has nothing to lose", t.id)
		}
		all[t.id] = d
	}
	r.caughtUp()
	return all
}

// wantsForgotten holds that neither replica shows or decides upon what is lost, and that
// everybody can work.
func (r *run) wantsForgotten(lost map[domain.TenantID]doomed) {
	r.t.Helper()
	for _, t := range r.tenants {
		d := lost[t.id]
		founder, flipped := r.newClient(t, t.founder), r.newClient(t, t.flipped)
		for _, replica := range r.replicas {
			r.wants(replica, founder, http.MethodGet, "/v1/projects/"+d.project.String(), nil, http.StatusNotFound)
			// The role that was lost: a member doesn't approve. The version of the membership
			// is then that of the lost role, and its content another one.
			r.wants(replica, flipped, http.MethodPost, "/v1/projects/"+d.project.String()+"/transitions", map[string]any{"to": domain.Submitted}, http.StatusNotFound)
			var edited struct{ Version int }
			r.mustAt(replica, founder, http.MethodPatch, "/v1/projects/"+d.edited.String(), map[string]any{"name": "Kept on " + replica.name}, &edited)
			if edited.Version >= d.version {
				r.t.Errorf("%s of tenant %s: version %d, the lost one was %d", replica.name, t.id, edited.Version, d.version)
			}
		}
		one, two := r.replicas[0], r.replicas[1]
		r.mustAt(one, founder, http.MethodPatch, "/v1/members/"+t.flipped.id.String(), map[string]any{"role": domain.Viewer}, nil)
		r.wants(two, flipped, http.MethodPost, "/v1/projects", map[string]any{"name": "Not a viewer's"}, http.StatusForbidden)
		r.wants(one, flipped, http.MethodPost, "/v1/projects", map[string]any{"name": "Not a viewer's"}, http.StatusForbidden)
		for _, replica := range r.replicas {
			for _, p := range append([]*person{t.founder, t.manager}, t.members...) {
				r.mustAt(replica, r.newClient(t, p), http.MethodPost, "/v1/projects", map[string]any{"name": "Goes on"}, nil)
			}
		}
	}
}

// epoch is the one that a replica names.
func (r *run) epoch(at *replica) string {
	r.t.Helper()
	t := r.tenants[0]
	epoch := r.answered(at, r.newClient(t, t.founder), http.MethodGet, "/v1/me", nil).header.Get("Docket-Epoch")
	if epoch == "" {
		r.t.Fatalf("%s names no epoch", at.name)
	}
	return epoch
}

// epochRecorded waits until every tenant's log has the event of an epoch: one that comes
// while read models are compared is in the fresh fold alone.
func (r *run) epochRecorded(id string) {
	r.t.Helper()
	admin := r.cluster.pool(postgres.Superuser, "")
	defer admin.Close()
	tenanttest.Until(r.t, admin, `select recorded_at is not null from epochs where id = $1`, id)
}

// must is mustAt a replica of the dice's choice.
func (r *run) must(c *client, method, path string, body, into any) {
	r.t.Helper()
	r.mustAt(r.replicas[rand.IntN(len(r.replicas))], c, method, path, body, into)
}

// mustAt makes a request that must succeed at a replica. It is repeated while the replica
// can't reach Postgres.
func (r *run) mustAt(to *replica, c *client, method, path string, body, into any) {
	r.t.Helper()
	a := r.answered(to, c, method, path, body)
	if a.status >= 300 {
		r.t.Fatalf("%s as %s of tenant %s at %s: %d %s", method+" "+path, c.person.email, c.tenant.id, to.name, a.status, a.body)
	}
	var seq int64
	if _, err := fmt.Sscan(a.header.Get("Docket-Seq"), &seq); err == nil {
		c.tenant.tell(seq)
	}
	if into != nil {
		if err := a.decode(into); err != nil {
			r.t.Fatal(err)
		}
	}
}

// wants makes a request that must be answered with a status.
func (r *run) wants(to *replica, c *client, method, path string, body any, status int) {
	r.t.Helper()
	if a := r.answered(to, c, method, path, body); a.status != status {
		r.t.Errorf("%s as %s of tenant %s at %s: %d %s, want %d", method+" "+path, c.person.email, c.tenant.id, to.name, a.status, a.body, status)
	}
}

// answered asks until the answer isn't 503.
func (r *run) answered(to *replica, c *client, method, path string, body any) answer {
	r.t.Helper()
	for {
		c.sent++
		a, err := c.send(r.settling, to, method, path, fmt.Sprintf("lost-%d-%d", c.id, c.sent), body, nil)
		if err == nil && a.status != http.StatusServiceUnavailable {
			return a
		}
		if !hold(r.settling, breath) {
			r.t.Fatalf("%s %s at %s has no answer: %v %s", method, path, to.name, err, a.body)
		}
	}
}
