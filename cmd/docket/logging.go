package main

import (
	"io"
	"log/slog"
	"strings"
	"time"

	"docket/internal/cli"
)

// logLevels are the values of DOCKET_LOG_LEVEL.
var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// newLogger creates a logger in the settings' format: text, json, or by default text on a
// terminal and JSON elsewhere; and from the settings' level on.
func newLogger(to io.Writer, s settings) *slog.Logger {
	options := &slog.HandlerOptions{Level: logLevels[s.LogLevel], ReplaceAttr: nameUnit}
	if s.LogFormat == "text" || s.LogFormat == "" && cli.IsTerminal(to) {
		return slog.New(slog.NewTextHandler(to, options))
	}
	return slog.New(slog.NewJSONHandler(to, options))
}

// nameUnit writes a duration as milliseconds, under a key that says so: "took" becomes
// "took_ms".
func nameUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	ms := float64(a.Value.Duration().Round(time.Microsecond)) / float64(time.Millisecond)
	return slog.Float64(strings.TrimSuffix(a.Key, "_ms")+"_ms", ms)
}
