package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"docket/internal/cli"

	"github.com/spf13/cobra"
)

// healthTimeout is how long the server may take to say that it is ready.
const healthTimeout = 3 * time.Second

// healthAnswer is how much of the server's answer is read, in bytes.
const healthAnswer = 64 << 10

func (p *program) healthCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is ready",
		Long: `Ask the server that listens on DOCKET_ADDR whether it is ready to serve. The
exit status tells: 0 ready, 1 not ready, 2 nobody answers. For container health
checks, where there is no curl.`,
		Example: `  docket health
  docket health --addr 127.0.0.1:9000 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := p.settings(c)
			if err != nil {
				return err
			}
			h, err := askHealth(c.Context(), s.Addr)
			if err != nil {
				return err
			}
			return p.tellHealth(h, asJSON)
		},
	}
	c.Flags().String("addr", "", "where the server listens, `host:port` (DOCKET_ADDR)")
	cli.JSONFlag(c, &asJSON, "one JSON object")
	return c
}

// health is what a server says of itself.
type health struct {
	Ready bool   `json:"ready"`
	URL   string `json:"url"`
	// Detail is why it isn't ready, in its own words.
	Detail string `json:"detail,omitempty"`
}

func askHealth(ctx context.Context, addr string) (health, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return health{}, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on every address, this one too
	}
	h := health{URL: "http://" + net.JoinHostPort(host, port) + "/readyz"}
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return h, err
	}
	answer, err := client.Do(req)
	if err != nil {
		var sent *url.Error // it says only what we asked
		if errors.As(err, &sent) {
			err = sent.Err
		}
		return h, fmt.Errorf("nobody answers: %w", err)
	}
	defer answer.Body.Close()
	if h.Ready = answer.StatusCode == http.StatusOK; h.Ready {
		return h, nil
	}
	h.Detail = answer.Status
	var problem struct{ Detail string }
	if json.NewDecoder(io.LimitReader(answer.Body, healthAnswer)).Decode(&problem) == nil && problem.Detail != "" {
		h.Detail = problem.Detail
	}
	return h, nil
}

func (p *program) tellHealth(h health, asJSON bool) error {
	s := p.screen()
	var err error
	switch {
	case asJSON:
		err = cli.WriteJSON(s, h)
	case h.Ready:
		_, err = fmt.Fprintln(s, s.Paint(cli.Green, "ready"))
	default:
		_, err = fmt.Fprintf(s, "%s: %s\n", s.Paint(cli.Red, "not ready"), cli.Printable(h.Detail))
	}
	if err == nil && !h.Ready {
		err = cli.ErrNo
	}
	return err
}
