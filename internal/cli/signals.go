package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signals returns two contexts: stop ends with the first SIGINT, SIGTERM or SIGHUP,
// cutOff with the second. The third ends the process with StatusFailed, and the
// processes it started stay behind.
func Signals() (stop, cutOff context.Context) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A reader that closes our output must not end the process, which may have a
	// Postgres to stop.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	stop, first := context.WithCancel(context.Background())
	cutOff, second := context.WithCancel(context.Background())
	go func() {
		<-signals
		first()
		<-signals
		second()
		<-signals
		os.Exit(StatusFailed)
	}()
	return stop, cutOff
}
