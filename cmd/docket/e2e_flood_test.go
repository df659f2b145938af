package main

import (
	"flag"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var floodTime = flag.Duration("limits.flood", 0, "how long wrong logins flood a server; 0: no flood")

// Wrong logins on 80 connections keep no other client out: a login of another address, new or
// known, succeeds.
func TestFloodOfWrongLogins(t *testing.T) {
	t.Parallel()
	if *floodTime == 0 {
		t.Skip("without -limits.flood")
	}
	in := newMigratedInstall(t, osUsers(t)[0])
	p := in.serve("--trusted-proxies", "127.0.0.1", "--log-format", "json", "--ops-addr", "127.0.0.1:0")
	ops := regexp.MustCompile(`"url":"(http://[^"]+)/metrics"`).FindStringSubmatch(p.began)
	if ops == nil {
		t.Fatalf("no operations address in %s", p.began)
	}
	ann, bob := register(t, p.url, "Ann"), register(t, p.url, "Bob")
	transport := &http.Transport{MaxConnsPerHost: 200, MaxIdleConnsPerHost: 200}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	login := func(email, secret, address string) (int, time.Duration) {
		req := anyone(t, p.url).request("POST", "/v1/auth/login", object("email", email, "password", secret))
		req.Header.Set("X-Forwarded-For", address)
		begin := time.Now()
		got, err := client.Do(req)
		if err != nil {
			return 0, time.Since(begin)
		}
		got.Body.Close()
		return got.StatusCode, time.Since(begin)
	}
	memory := func() float64 {
		_, now := scrape(t, ops[1])
		return now["process_resident_memory_bytes"] / (1 << 20)
	}
	// read gets the own account again and again until stop, and returns how long each took.
	read := func(stop <-chan struct{}) (took []time.Duration) {
		next := time.NewTicker(10 * time.Millisecond)
		defer next.Stop()
		for {
			select {
			case <-stop:
				slices.Sort(took)
				return took
			case <-next.C:
			}
			begin := time.Now()
			bob.get("/v1/me")
			took = append(took, time.Since(begin))
		}
	}
	quietly := make(chan struct{})
	time.AfterFunc(*floodTime/4, func() { close(quietly) })
	quiet := read(quietly)
	before := memory()
	var wrong, compared atomic.Int64
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 80 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				status, _ := login(ann.email, password+"x", "198.51.100.1")
				wrong.Add(1)
				if status == http.StatusUnauthorized {
					compared.Add(1)
				}
			}
		})
	}
	var reads []time.Duration
	flood.Go(func() { reads = read(stop) })
	var took []time.Duration
	peak := before
	for i := range int(*floodTime / (250 * time.Millisecond)) {
		who, address := bob, "203.0.113.1"
		if i%2 == 0 {
			who, address = ann, "127.0.0.1"
		}
		status, d := login(who.email, password, address)
		if status != http.StatusOK {
			t.Errorf("login %d, of %s: %d", i, address, status)
		}
		took = append(took, d)
		if i%8 == 0 {
			peak = max(peak, memory())
		}
		time.Sleep(max(250*time.Millisecond-d, 0)) // an open loop: so many a second
	}
	close(stop)
	flood.Wait()
	slices.Sort(took)
	if compared.Load() > 20 {
		t.Errorf("%d guesses were compared", compared.Load())
	}
	t.Logf("%d guesses, %d compared; %d honest logins, p50 %v, p99 %v; memory %.0f MB, then at most %.0f MB", wrong.Load(), compared.Load(),
		len(took), took[len(took)/2], took[len(took)*99/100], before, peak)
	t.Logf("%d reads before it, p50 %v, p99 %v; %d meanwhile, p50 %v, p99 %v", len(quiet), quiet[len(quiet)/2], quiet[len(quiet)*99/100],
		len(reads), reads[len(reads)/2], reads[len(reads)*99/100])
	p.stopped(p.stop(syscall.SIGTERM, false))
}
