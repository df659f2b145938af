//go:build linux

package faults_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"docket/domain"
)

// A network that goes silent: what goes through the connections of one pool is dropped, and
// none is closed. The server finds out by itself, and everything is at work again. While no
// new connection gets through either, the server says that it isn't ready.
func TestSilentNetwork(t *testing.T) {
	t.Parallel()
	r := newRun(t, *seedFlag, 1)
	settling, settled := untilNearlyOver(t)
	defer settled()
	r.settling = settling
	r.keepRows(r.tenants[0])
	r.caughtUp()
	t.Run("pools", func(t *testing.T) {
		pools := []string{"append", "feed"}
		if *longFlag {
			pools = append(pools, "login", "read")
		}
		for _, pool := range pools {
			t.Run(pool, func(t *testing.T) {
				t.Parallel()
				replica := r.cluster.newReplica("silent " + pool)
				if err := replica.start(); err != nil {
					t.Fatal(err)
				}
				r.works(t, replica) // each pool has connections now
				began := time.Now()
				replica.proxy.silence(pool, false)
				r.works(t, replica)
				if replica.proxy.dropped.Load() == 0 {
					t.Error("nothing went through the pool's connections")
				}
				t.Logf("all is at work again after %s", time.Since(began).Round(100*time.Millisecond))
				if pool != "feed" || !*longFlag {
					return
				}
				replica.proxy.silence(pool, true)
				r.ready(t, replica, http.StatusServiceUnavailable)
				replica.proxy.heal()
				r.ready(t, replica, http.StatusOK)
				r.works(t, replica)
			})
		}
	})
	for _, replica := range r.replicas {
		replica.stop()
	}
}

// works waits until a replica logs a person in, carries a command out, and shows it in a
// read model.
func (r *run) works(t *testing.T, replica *replica) {
	t.Helper()
	person := r.tenants[0].founder
	r.mu.Lock()
	c := r.newClient(r.tenants[0], person)
	r.mu.Unlock()
	credentials := map[string]any{"email": person.email, "password": password}
	if a := r.answered(replica, c, http.MethodPost, "/v1/auth/login", credentials); a.status != http.StatusOK {
		t.Fatalf("login: %d %s", a.status, a.body)
	}
	a := r.answered(replica, c, http.MethodPost, "/v1/projects", map[string]any{"name": "Silence"})
	var made struct{ ID domain.ProjectID }
	if err := a.decode(&made); err != nil || a.status != http.StatusCreated {
		t.Fatalf("create: %d %s (%v)", a.status, a.body, err)
	}
	path := fmt.Sprintf("/v1/projects/%s?min_seq=%s", made.ID, a.header.Get("Docket-Seq"))
	if a := r.answered(replica, c, http.MethodGet, path, nil); a.status != http.StatusOK {
		t.Fatalf("read: %d %s", a.status, a.body)
	}
	r.ready(t, replica, http.StatusOK)
}

// ready waits until /readyz has a status.
func (r *run) ready(t *testing.T, replica *replica, status int) {
	t.Helper()
	for {
		res, err := http.Get(*replica.url.Load() + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == status {
				return
			}
		}
		if !hold(r.settling, breath) {
			t.Fatalf("/readyz doesn't become %d: %v", status, err)
		}
	}
}
