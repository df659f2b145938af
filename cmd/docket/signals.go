package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// onSignals gives two contexts: asked ends with the first signal to stop, atOnce
// with the second. The third ends the process.
func onSignals() (asked, atOnce context.Context) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	// What nohup started goes on when the terminal closes.
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	// A reader that goes away ends the writing and not the process, which may have
	// a Postgres to stop. (Not ignored: programs that we start would inherit that.)
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
