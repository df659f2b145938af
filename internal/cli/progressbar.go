package cli

import (
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/schollz/progressbar/v3"
)

// Widths on a line with a progress bar, in columns.
const (
	barLabel   = 16 // the label
	barFigures = 58 // everything but label and bar
	minBar     = 4
)

// ProgressBar shows on a terminal how much of a task is done, its rate and the time
// left. A nil ProgressBar does nothing.
type ProgressBar struct{ bar *progressbar.ProgressBar }

// NewProgressBar draws an empty bar for a total of so many units, such as "events".
// It is nil where the screen is no terminal.
func NewProgressBar(s Screen, total int64, unit string) *ProgressBar {
	if s.Width == 0 {
		return nil
	}
	return &ProgressBar{progressbar.NewOptions64(max(1, total),
		progressbar.OptionSetWriter(s.Writer),
		progressbar.OptionSetDescription(fixedWidth("")),
		progressbar.OptionSetWidth(max(minBar, s.Width-barLabel-barFigures)),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}),
	)}
}

// Set moves the bar to done, which may exceed the total, and labels it with what is
// under way. A bar that cannot be drawn is no error of the task.
func (b *ProgressBar) Set(label string, done int64) {
	if b == nil {
		return
	}
	b.bar.Describe(fixedWidth(label))
	_ = b.bar.Set64(min(done, b.bar.GetMax64()))
}

// Clear takes the bar off the terminal, so that a line can be written.
func (b *ProgressBar) Clear() {
	if b != nil {
		_ = b.bar.Clear()
	}
}

// Close takes the bar off the terminal for good.
func (b *ProgressBar) Close() {
	if b == nil {
		return
	}
	b.Clear()
	_ = b.bar.Exit()
}

// fixedWidth is a label of barLabel columns.
func fixedWidth(label string) string {
	label = Truncate(Printable(label), barLabel)
	return label + strings.Repeat(" ", max(0, barLabel-runewidth.StringWidth(label)))
}
