package main

import (
	"io"
	"log/slog"

	"docket/internal/cli"
)

// newLogger makes a logger in a format: "text", "json", or by default text for a
// terminal and JSON for whatever else reads it.
func newLogger(to io.Writer, format string) *slog.Logger {
	if format == "text" || format == "" && cli.IsTerminal(to) {
		return slog.New(slog.NewTextHandler(to, nil))
	}
	return slog.New(slog.NewJSONHandler(to, nil))
}
