package main

import (
	"io"
	"log/slog"
	"os"
)

// newLogger makes a logger in a format: "text", "json", or by default text for a
// terminal and JSON for whatever else reads it.
func newLogger(to io.Writer, format string) *slog.Logger {
	if format == "text" || format == "" && isTerminal(to) {
		return slog.New(slog.NewTextHandler(to, nil))
	}
	return slog.New(slog.NewJSONHandler(to, nil))
}

// isTerminal takes /dev/null for one too, where it makes no difference.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
