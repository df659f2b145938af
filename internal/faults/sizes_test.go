//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/postgres"
)

var (
	sizesFlag = flag.Duration("faults.sizes", 4*time.Second, "how long TestLargestTexts puts load on a server")
	editsFlag = flag.Int("faults.edits", 500, "how many edits of 32 KB the long task of TestLargestTexts has")
)

const (
	// serverMemory is the most that the server may take, in bytes.
	serverMemory = 400 << 20
	// sizedClients ask at the same time.
	sizedClients = 32
	// sizedPatience is longer than the server takes for its own refusal.
	sizedPatience = 40 * time.Second
)

// longEditsSQL adds $4 edits, which change the description from one of the largest to another,
// to the task ($2) of a tenant ($1), each made of the task's last event.
const longEditsSQL = `insert into events
select e.tenant_id, h.seq + n, e.stream_type, e.stream_id, e.version + n, e.type, e.schema_version, clock_timestamp(), e.actor_id, gen_random_uuid(),
  jsonb_set(e.data::jsonb, '{changes}', jsonb_build_array(jsonb_build_object('field', 'description', 'from', repeat($3, 4000), 'to', repeat($3, 4000)))), e.meta
from (select * from events where tenant_id = $1 and stream_id = $2 order by version desc limit 1) e,
  (select max(seq) as seq from events where tenant_id = $1) h, generate_series(1, $4::int) n`

// sizes is a server under the largest texts that the rules allow.
type sizes struct {
	*run
	long domain.TaskID
	// peak is the most memory that the processes of the server took.
	peak    int
	restart sync.RWMutex
	asked   atomic.Int64
	mu      sync.Mutex
	// unavailable counts the refusals with 503 by what they said.
	unavailable map[string]int
}

// largest is a text of so many characters, each of four bytes.
func largest(characters int) string { return strings.Repeat("𝄞", characters) }

// With the largest legal texts in every field, many clients, a task with gigabytes of edits
// and cold starts, a server's memory stays within bounds, and no request is refused twice
// for the same reason.
func TestLargestTexts(t *testing.T) {
	r := newRun(t, *seedFlag, 2)
	for _, other := range r.replicas[1:] {
		other.stop()
	}
	r.replicas = r.replicas[:1]
	s := &sizes{run: r, unavailable: map[string]int{}}
	s.prepare()
	ctx, stop := context.WithTimeout(t.Context(), *sizesFlag)
	defer stop()
	var clients sync.WaitGroup
	for i := range sizedClients {
		in := r.tenants[i%len(r.tenants)]
		by := []*person{in.founder, in.manager}[i/len(r.tenants)%2]
		rng := rand.New(rand.NewPCG(r.seed, uint64(i)))
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				s.one(in, by, rng, fmt.Sprintf("sized-%d-%d", i, n))
			}
		})
	}
	const between = 20 * time.Second // two cold starts
	starts := max(1, int(*sizesFlag/between))
	for range starts {
		hold(ctx, *sizesFlag/time.Duration(starts+1))
		s.coldStart()
		s.replays()
	}
	clients.Wait()
	s.measure()
	t.Logf("%d requests in %s, refused with 503: %v; the server took %d MB at most", s.asked.Load(), *sizesFlag, s.unavailable, s.peak>>20)
	if s.peak > serverMemory {
		t.Errorf("the server took %d MB, want at most %d", s.peak>>20, serverMemory>>20)
	}
}

// prepare makes the long task, and the rows that lists have.
func (s *sizes) prepare() {
	t := s.tenants[0]
	var made struct{ ID domain.TaskID }
	s.ask(t, t.founder, http.MethodPost, "/v1/projects/"+t.projects[0].String()+"/tasks", "long", map[string]any{"title": "x", "description": largest(domain.MaxDescription)}, &made)
	s.long = made.ID
	s.ask(t, t.founder, http.MethodPatch, "/v1/tasks/"+s.long.String(), "long-1", map[string]any{"description": "x"}, nil)
	admin := s.cluster.session(postgres.Superuser, postgres.Database)
	if _, err := admin.Exec(s.t.Context(), longEditsSQL, t.id.UUID(), s.long.UUID(), "𝄞", *editsFlag); err != nil {
		s.t.Fatal(err)
	}
	s.ask(t, t.founder, http.MethodPatch, "/v1/tasks/"+s.long.String(), "long-last", map[string]any{"title": "last"}, nil)
}

// replays asks twenty times at once for the answer to the last edit of the long task.
func (s *sizes) replays() {
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			t := s.tenants[0]
			s.ask(t, t.founder, http.MethodPatch, "/v1/tasks/"+s.long.String(), "long-last", map[string]any{"title": "last"}, nil)
		})
	}
	all.Wait()
}

// coldStart ends the server and starts it again, with empty caches.
func (s *sizes) coldStart() {
	s.restart.Lock()
	defer s.restart.Unlock()
	s.measure()
	s.replicas[0].stop()
	if err := s.replicas[0].start(); err != nil {
		s.t.Fatal(err)
	}
}

// measure reads the most memory that the server's process has taken so far.
func (s *sizes) measure() {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.replicas[0].cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("the process took %d MB", kilobytes>>10)
	s.peak = max(s.peak, kilobytes<<10)
}

// one makes a request of a client's choice, with the largest texts.
func (s *sizes) one(t *tenant, by *person, rng *rand.Rand, key string) {
	projects, tasks := t.known()
	project, description := projects[rng.IntN(len(projects))], largest(domain.MaxDescription-len(key))+key
	labels := make([]string, domain.MaxLabels)
	for i := range labels {
		labels[i] = largest(domain.MaxLabel-2) + fmt.Sprintf("%02d", i)
	}
	name := func() string { return largest(domain.MaxName-len(key)) + key }
	choice := rng.IntN(13)
	if len(tasks) == 0 {
		choice = 0
	}
	one := func() string { return "/v1/tasks/" + tasks[rng.IntN(len(tasks))].id.String() }
	switch choice {
	case 0, 1:
		var made struct{ ID domain.TaskID }
		s.ask(t, by, http.MethodPost, "/v1/projects/"+project.String()+"/tasks", key,
			map[string]any{"title": name(), "description": description, "labels": labels}, &made)
		t.addTask(task{id: made.ID})
	case 2, 3:
		s.ask(t, by, http.MethodPatch, one(), key, map[string]any{"title": name(), "description": description, "labels": labels}, nil)
	case 4:
		s.ask(t, by, http.MethodPost, "/v1/projects", key, map[string]any{"name": name(), "description": description}, nil)
	case 5:
		s.ask(t, by, http.MethodPost, one()+"/comments", key, map[string]any{"body": description}, nil)
	case 6:
		s.ask(t, by, http.MethodPatch, "/v1/me", key, map[string]any{"name": name()}, nil)
	case 7:
		s.ask(t, by, http.MethodGet, "/v1/tasks?limit=200", "", nil, nil)
	case 8:
		s.ask(t, by, http.MethodGet, "/v1/projects?limit=200", "", nil, nil)
	case 9:
		s.ask(t, by, http.MethodGet, one()+"/comments?limit=200", "", nil, nil)
	case 10:
		s.ask(t, by, http.MethodGet, one(), "", nil, nil)
	case 11:
		s.ask(t, by, http.MethodGet, one()+"/history?limit=200", "", nil, nil)
	case 12:
		s.ask(t, t.founder, http.MethodGet, "/v1/admin/activity?limit=200", "", nil, nil)
	}
}

// ask makes a request until it is answered, again where the server went away. A second 503
// that says the same fails the test.
func (s *sizes) ask(t *tenant, by *person, method, path, key string, body, into any) {
	said := map[string]int{}
	for attempt := 0; ; attempt++ {
		status, answer, err := s.send(t, by, method, path, key, body)
		switch {
		case err != nil:
			if attempt > 5 || !hold(s.t.Context(), breath) {
				s.t.Errorf("%s %s: %v", method, path, err)
				return
			}
		case status == http.StatusServiceUnavailable:
			var p struct{ Code, Detail string }
			_ = json.Unmarshal(answer, &p)
			reason := p.Code + ": " + p.Detail
			s.mu.Lock()
			s.unavailable[reason]++
			s.mu.Unlock()
			if said[reason]++; said[reason] > 1 {
				s.t.Errorf("%s %s was refused %d times with %q", method, path, said[reason], reason)
				return
			}
			hold(s.t.Context(), time.Second)
		case status >= 300:
			lags := method == http.MethodGet && status == http.StatusNotFound // the read model doesn't have it yet
			if status != http.StatusConflict && !lags {
				s.t.Errorf("%s %s: %d %.300s", method, path, status, answer)
			}
			return
		default:
			if into != nil {
				if err := json.Unmarshal(answer, into); err != nil {
					s.t.Error(err)
				}
			}
			return
		}
	}
}

func (s *sizes) send(t *tenant, by *person, method, path, key string, body any) (status int, answer []byte, err error) {
	s.restart.RLock()
	defer s.restart.RUnlock()
	ctx, cancel := context.WithTimeout(s.t.Context(), sizedPatience)
	defer cancel()
	content := new(bytes.Buffer)
	if body != nil {
		if err := json.NewEncoder(content).Encode(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, *s.replicas[0].url.Load()+path, content)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Tenant-ID", t.id.String())
	req.Header.Set("Authorization", "Bearer "+by.token)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	s.asked.Add(1)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}
