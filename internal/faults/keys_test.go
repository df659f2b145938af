//go:build linux

package faults_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"
)

// Fifty requests with one key arrive at once, at two replicas: they have one
// effect, and all get the same answer.
func TestOneKeyHasOneEffect(t *testing.T) {
	t.Parallel()
	const requests = 50
	db := pgtest.New(t)
	r := &run{t: t, began: time.Now(), settling: t.Context(), acked: newGauge(), unknowns: newGauge()}
	for _, name := range []string{"one", "two"} {
		replica := newReplica(t, name, db.EngineURL, db.APIURL)
		if err := replica.start(); err != nil {
			t.Fatal(err)
		}
		r.replicas = append(r.replicas, replica)
	}
	company := r.newTenant(0)
	as := &client{run: r, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: requests}}, person: company.manager, tenant: company,
		patience: tenanttest.MaxWait}
	engine, sent := db.Engine(t), 0
	for round := range scaled(4) {
		var task struct{ ID domain.TaskID }
		r.setUp(as, http.MethodPost, "/v1/projects/"+company.projects[0].String()+"/tasks", map[string]any{"title": "x"}, &task)
		for _, tc := range []struct {
			method, path string
			body         any
			status       int
		}{
			{http.MethodPost, "/v1/projects", map[string]any{"name": fmt.Sprint("Round ", round)}, http.StatusCreated},
			{http.MethodPatch, "/v1/tasks/" + task.ID.String(), map[string]any{"title": fmt.Sprint("Round ", round)}, http.StatusOK},
			{http.MethodPost, "/v1/tasks/" + task.ID.String() + "/comments", map[string]any{"body": "@" + company.members[0].email}, http.StatusCreated},
			{http.MethodDelete, "/v1/tasks/" + task.ID.String(), nil, http.StatusNoContent},
			{http.MethodPatch, "/v1/tasks/" + task.ID.String(), map[string]any{"title": "gone"}, http.StatusNotFound},
		} {
			sent++
			key := fmt.Sprint("key-", sent)
			before := len(readLog(t, engine, company.id))
			answers := make([]answer, requests)
			start := make(chan struct{})
			var wait sync.WaitGroup
			for i := range answers {
				wait.Go(func() {
					<-start
					a, err := as.send(t.Context(), r.replicas[i%2], tc.method, tc.path, "same", tc.body, map[string]string{"Idempotency-Key": key})
					if err != nil {
						t.Error(err)
					}
					answers[i] = a
				})
			}
			close(start)
			wait.Wait()
			effects := len(readLog(t, engine, company.id)) - before
			if want := map[bool]int{true: 1, false: 0}[tc.status < 300]; effects != want {
				t.Errorf("%s %s: %d effects, want %d", tc.method, tc.path, effects, want)
			}
			firsts := 0
			for _, a := range answers {
				if a.status != tc.status || wording(a) != wording(answers[0]) {
					t.Errorf("%s %s: one was told %d %s\n%s\nanother %d %s\n%s", tc.method, tc.path,
						answers[0].status, wording(answers[0]), answers[0].body, a.status, wording(a), a.body)
					break
				}
				if a.header.Get("Idempotency-Replayed") != "true" {
					firsts++
				}
			}
			if firsts != 1 {
				t.Errorf("%s %s: %d were told that theirs was the first, want 1", tc.method, tc.path, firsts)
			}
		}
	}
	for _, replica := range r.replicas {
		replica.stop()
	}
}

// wording is what must be the same in all answers under one key.
func wording(a answer) string {
	return strings.Join([]string{a.header.Get("Docket-Seq"), a.header.Get("ETag"), a.header.Get("Location"), string(a.body)}, " ")
}
