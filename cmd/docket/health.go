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

// healthTimeout is how long the server may take to answer.
const healthTimeout = 3 * time.Second

// maxHealthBody is how much of the answer is read, in bytes.
const maxHealthBody = 64 << 10

func (p *program) healthCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is ready",
		Long: `Ask the server that listens on DOCKET_ADDR whether it is ready to serve. Exit status:
0 ready, 1 not ready, 2 no server answers. For the health checks of containers without
curl.`,
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
			return p.printHealth(h, asJSON)
		},
	}
	c.Flags().String("addr", "", "where the server listens, `host:port` (DOCKET_ADDR)")
	cli.JSONFlag(c, &asJSON, "one JSON object")
	return c
}

// health is the answer of a server.
type health struct {
	Ready bool   `json:"ready"`
	URL   string `json:"url"`
	// Detail is why the server isn't ready.
	Detail string `json:"detail,omitempty"`
}

func askHealth(ctx context.Context, addr string) (health, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return health{}, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // one of the addresses that it listens on
	}
	h := health{URL: "http://" + net.JoinHostPort(host, port) + "/readyz"}
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return h, err
	}
	answer, err := client.Do(req)
	if err != nil {
		var request *url.Error // it repeats the request
		if errors.As(err, &request) {
			err = request.Err
		}
		return h, fmt.Errorf("no server answers: %w", err)
	}
	defer answer.Body.Close()
	h.Ready = answer.StatusCode == http.StatusOK
	if h.Ready {
		return h, nil
	}
	h.Detail = answer.Status
	var problem struct{ Detail string }
	if json.NewDecoder(io.LimitReader(answer.Body, maxHealthBody)).Decode(&problem) == nil && problem.Detail != "" {
		h.Detail = problem.Detail
	}
	return h, nil
}

func (p *program) printHealth(h health, asJSON bool) error {
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
	if err != nil || h.Ready {
		return err
	}
	return cli.ErrNo
}
