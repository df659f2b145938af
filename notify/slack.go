package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"docket/internal/seal"
)

const (
	// maxAnswer is how much of an answer's body is read, in bytes.
	maxAnswer = 64 << 10
	// maxSlackText is the greatest length of a text, in bytes; Slack truncates at 40,000.
	maxSlackText = 12_000
)

// Slack is the Provider that posts to a tenant's incoming webhook.
// https://api.slack.com/messaging/webhooks
type Slack struct {
	egress  *Egress
	secrets *Secrets
}

// NewSlack makes a Slack.
func NewSlack(e *Egress, s *Secrets) *Slack { return &Slack{egress: e, secrets: s} }

const unreadableWebhook = "the Slack webhook can't be read; set it again"

// slackMessage is the body of a request to an incoming webhook.
type slackMessage struct {
	Text string `json:"text"`
}

// slackEscapes escapes the characters that begin markup: a title could otherwise
// mention the whole channel.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Send posts the message. A Failure shows the tenant only the status and the size of
// an answer.
func (s *Slack) Send(ctx context.Context, m Message) error { return s.SendGroup(ctx, []Message{m}) }

// SendGroup posts one message for all recipients of an event.
func (s *Slack) SendGroup(ctx context.Context, list []Message) error {
	m := list[0]
	if m.SlackWebhook == nil {
		return permanent("no Slack webhook is set", nil)
	}
	address, err := s.secrets.Get(ctx, m.Tenant, *m.SlackWebhook)
	switch {
	case errors.Is(err, ErrNoSecret):
		return permanent(unreadableWebhook, err)
	case errors.Is(err, seal.ErrUnreadable): // sealed under another replica's master key
		return &Failure{Elsewhere: true, Problem: unreadableWebhook, Err: err}
	case err != nil:
		return transient("internal error", err)
	}
	to, err := s.egress.parse(address)
	if err != nil {
		return permanent("the Slack webhook "+err.Error(), nil)
	}
	body, err := json.Marshal(slackMessage{Text: slackText(list)})
	if err != nil {
		return permanent("internal error", err)
	}
	return s.egress.post(ctx, to, body)
}

// slackText names the recipients, because a channel has many readers: a line for each title,
// and below the lines the text that they share.
func slackText(list []Message) string {
	list = slices.SortedFunc(slices.Values(list), func(a, b Message) int {
		return cmp.Or(cmp.Compare(a.Body, b.Body), cmp.Compare(a.Title, b.Title), cmp.Compare(a.Recipient.Name, b.Recipient.Name))
	})
	var out strings.Builder
	for i, m := range list {
		last := i == len(list)-1
		out.WriteString(slackEscapes.Replace(m.Recipient.Name))
		if !last && list[i+1].Title == m.Title && list[i+1].Body == m.Body {
			out.WriteString(", ")
			continue
		}
		fmt.Fprintf(&out, ": *%s*\n", slackEscapes.Replace(oneLine(m.Title)))
		if last || list[i+1].Body != m.Body {
			out.WriteString(slackEscapes.Replace(m.Body))
		}
		if !last && list[i+1].Body != m.Body {
			out.WriteString("\n\n")
		}
	}
	text := out.String()
	if len(text) <= maxSlackText {
		return text
	}
	return strings.ToValidUTF8(text[:maxSlackText], "") + "…"
}

// post sends JSON and classifies the answer. No error contains the address, which is
// a secret.
func (e *Egress) post(ctx context.Context, to *url.URL, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return permanent("the address can't be used", nil)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Docket")
	resp, err := e.client.Do(req)
	if err != nil {
		return requestFailure(err)
	}
	defer resp.Body.Close()
	size, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode >= 300 {
		return requestFailure(err)
	}
	problem := fmt.Sprintf("the receiver answered %d (%d bytes)", resp.StatusCode, size)
	switch {
	case resp.StatusCode < 300:
		return nil // accepted, even if reading the answer failed
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
		f := transient(problem, nil)
		f.After = retryAfter(resp.Header.Get("Retry-After"), time.Now())
		return f
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode == http.StatusTooEarly:
		return transient(problem, nil)
	}
	return permanent(problem, nil) // includes redirects, which are not followed
}

// requestFailure classifies why there is no answer. The tenant sees the same problem
// for a forbidden and a closed address: a difference would map the network.
func requestFailure(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the address
	}
	var timeout net.Error
	switch {
	case errors.Is(err, errForbidden):
		return permanent("the address can't be reached", err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return transient("the receiver didn't answer in time", err)
	}
	return transient("the address can't be reached", err)
}

// retryAfter parses a Retry-After field: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(field string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(field, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(field); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
