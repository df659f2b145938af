package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// onSignals gives two contexts: asked ends with the first signal to stop, atOnce
// with the second. The third ends the process and leaves its Postgres behind.
func onSignals() (asked, atOnce context.Context) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A reader that goes away mustn't end the process, which has a Postgres to stop.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	asked, stop := context.WithCancel(context.Background())
	atOnce, hurry := context.WithCancel(context.Background())
	go func() {
		<-signals
		stop()
		<-signals
		hurry()
		<-signals
		os.Exit(statusCouldNot)
	}()
	return asked, atOnce
}
