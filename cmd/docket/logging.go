package main

import (
	"io"
	"log/slog"

	"docket/internal/cli"
)

// newLogger creates a logger in a format: text, json, or by default text on a terminal
// and JSON elsewhere.
func newLogger(to io.Writer, format string) *slog.Logger {
	if format == "text" || format == "" && cli.IsTerminal(to) {
		return slog.New(slog.NewTextHandler(to, nil))
	}
	return slog.New(slog.NewJSONHandler(to, nil))
}
