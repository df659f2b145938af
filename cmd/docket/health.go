package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is how long the server may take to say that it is ready.
const healthTimeout = 3 * time.Second

func (p *program) healthCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is ready",
		Long: `Ask the server that listens on DOCKET_ADDR whether it is ready to serve. The
exit status tells: 0 ready, 1 not ready, 2 nobody answers. For container health
checks, where there is no curl.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := p.settings(c)
			if err != nil {
				return err
			}
			return p.health(c, s.Addr)
		},
	}
	c.Flags().String("addr", "", "where the server listens (DOCKET_ADDR)")
	return c
}

func (p *program) health(c *cobra.Command, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on every address, this one too
	}
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{Proxy: nil}}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("nobody answers: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		fmt.Fprintln(p.stdout, "not ready")
		return errNo
	}
	_, err = fmt.Fprintln(p.stdout, "ready")
	return err
}
