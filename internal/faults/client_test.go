//go:build linux

package faults_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"docket/domain"
)

const (
	// patience is how long a client waits for one answer.
	patience = 3 * time.Second
	// breath is what it waits, at most, before it asks again.
	breath = 100 * time.Millisecond
)

// client sends requests as one person and keeps the record of them. It is used
// by one goroutine.
type client struct {
	run    *run
	id     int
	tenant *tenant
	person *person
	rng    *rand.Rand
	http   *http.Client
	// patience is how long it waits for one answer; 0 is the constant.
	patience time.Duration

	sent     int
	commands []*command
	reads    []read
	// strange are answers that no contract allows.
	strange []string
}

func (r *run) newClient(t *tenant, p *person) *client {
	c := &client{
		run: r, id: len(r.clients), tenant: t, person: p,
		rng: rand.New(rand.NewPCG(r.seed, uint64(len(r.clients)+1))),
		// Its own connections: what breaks for one client breaks for one.
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}},
	}
	r.clients = append(r.clients, c)
	return c
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// decode reads the body, which is ours and so is JSON.
func (a answer) decode(into any) error { return json.Unmarshal(a.body, into) }

// send makes one request to a replica, and waits no longer than the client's patience.
func (c *client) send(ctx context.Context, to *replica, method, path, request string, body any, header map[string]string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.patience, patience))
	defer cancel()
	var content io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, *to.url.Load()+path, content)
	if err != nil {
		return answer{}, err
	}
	// The transport would ask again by itself where there is a key, and then tell
	// only of its last attempt.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-ID", request)
	if c.tenant != nil {
		req.Header.Set("X-Tenant-ID", c.tenant.id.String())
	}
	if c.person != nil && c.person.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.person.token)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	to.asking.add(1)
	defer to.asking.add(-1)
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, raw}, err
}

// do carries a command out: it asks, with a key, until the outcome is known. into,
// if not nil, gets the body of a success.
func (c *client) do(ctx context.Context, cmd *command, method, path string, body, into any) {
	c.sent++
	cmd.ID = fmt.Sprintf("cmd-%d-%d", c.id, c.sent)
	cmd.Tenant, cmd.Actor = c.tenant.id, c.person.id
	if time.Since(c.person.since) > tokenAge {
		_ = c.login(ctx, c.person) // else the next time: the old one is still good
	}
	cmd.Invoked = c.run.now()
	header := map[string]string{"Idempotency-Key": cmd.ID}
	if cmd.Expected > 0 {
		header["If-Match"] = fmt.Sprintf(`"%d"`, cmd.Expected)
	}
	c.commands = append(c.commands, cmd)
	open := false // an earlier attempt may have been carried out
	for {
		cmd.Attempts++
		to := c.run.replicas[c.rng.IntN(len(c.run.replicas))]
		// Not ctx: the run's end doesn't take the answer away.
		a, err := c.send(context.WithoutCancel(ctx), to, method, path, cmd.request(), body, header)
		cmd.Completed = c.run.now()
		c.note(cmd, a, err)
		if cmd.Outcome == refused && open && onlyOfThisAttempt(cmd) {
			cmd.Outcome = unknown
		}
		switch cmd.Outcome {
		case acked:
			c.tenant.tell(cmd.Seq)
			to.acked.add(1)
			c.run.acked.add(1)
			if into == nil {
				return
			}
			if err := a.decode(into); err != nil {
				c.oddly(cmd.request(), a, err)
			}
			return
		case refused:
			if cmd.Status == 0 || cmd.Status == http.StatusServiceUnavailable {
				hold(ctx, upTo(c.rng, breath))
			}
			return
		}
		open = true
		// A role that is gone when the load ends doesn't come back.
		revoked := cmd.Status == http.StatusForbidden
		forGood := revoked && ctx.Err() != nil
		if !revoked {
			c.run.unknowns.add(1)
		}
		if forGood || !hold(c.run.settling, upTo(c.rng, breath)) {
			return
		}
	}
}

// onlyOfThisAttempt reports whether a refusal leaves open what became of the
// attempts before: it was never sent, nothing was done, or it was the role that
// the caller has now which was asked for, before any thought of the key.
func onlyOfThisAttempt(cmd *command) bool {
	switch cmd.Code {
	case domain.CodeOverloaded, domain.CodeInsufficientRole, domain.CodeTenantAccessDenied:
		return true
	}
	return cmd.Status == 0
}

// note takes over what an answer says.
func (c *client) note(cmd *command, a answer, err error) {
	cmd.Status, cmd.Code, cmd.Failure = a.status, "", ""
	if err != nil {
		cmd.Failure, cmd.Outcome = err.Error(), unknown
		if isDial(err) {
			cmd.Outcome = refused
		}
		return
	}
	cmd.Replayed = a.header.Get("Idempotency-Replayed") == "true"
	var said struct {
		Code    domain.Code `json:"code"`
		Version int         `json:"version"`
		Current int         `json:"current_version"`
	}
	if len(a.body) > 0 {
		if err := a.decode(&said); err != nil {
			c.oddly(cmd.request(), a, err)
		}
	}
	cmd.Code, cmd.Version, cmd.Current = said.Code, said.Version, said.Current
	if a.status < 300 {
		cmd.Outcome = acked
		cmd.Seq, err = strconv.ParseInt(a.header.Get("Docket-Seq"), 10, 64)
		if err != nil {
			c.oddly(cmd.request(), a, err)
		}
		return
	}
	cmd.Outcome = refused
	switch {
	case a.status == http.StatusServiceUnavailable && said.Code == domain.CodeOverloaded:
	case a.status == http.StatusServiceUnavailable && said.Code == domain.CodeOutcomeUnknown:
		cmd.Outcome = unknown
	case a.status == http.StatusForbidden, a.status == http.StatusConflict, a.status == http.StatusPreconditionFailed:
	default:
		cmd.Outcome = unknown
		c.oddly(cmd.request(), a, errors.New("no answer that this command may get"))
	}
}

// oddly keeps an answer that must not be.
func (c *client) oddly(request string, a answer, why error) {
	c.strange = append(c.strange, fmt.Sprintf("%s: %v: %d %s", request, why, a.status, a.body))
}

// isDial reports whether a request never left because no server listened.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
