package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses of a program.
const (
	StatusDone   = 0
	StatusNo     = 1 // the answer is no
	StatusFailed = 2 // usage and configuration mistakes too
)

// ErrNo is the error of a command that has printed its answer, which is no. Run
// prints nothing more and returns StatusNo.
var ErrNo = errors.New("no")

// Refusal is an error that is an answer: the command was well formed, and what it
// asks for cannot be had. Run prints the reason and returns StatusNo.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

// Refuse makes a Refusal.
func Refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// Run carries out one command, prints its error as one line on the root's standard
// error and returns the exit status. The end of ctx asks the command to stop.
func Run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil || ReaderGone(err) {
		return StatusDone
	}
	if errors.Is(err, ErrNo) {
		return StatusNo
	}
	status := StatusFailed
	var refusal *Refusal
	if errors.As(err, &refusal) {
		status = StatusNo
	} else if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), OneLine(err.Error()))
	return status
}

// ReaderGone reports whether an error says that the reader of our output has closed
// it, as head does. A broken connection of the network is another matter.
func ReaderGone(err error) bool {
	var connection *net.OpError
	return errors.Is(err, syscall.EPIPE) && !errors.As(err, &connection)
}
