package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/schollz/progressbar/v3"
)

// Widths on a line with a progress bar, in columns.
const (
	barLabel   = 16 // the label
	barLeft    = 12 // the time left
	barFigures = 46 // everything but label, time left and bar
	minBar     = 4
)

// estimateAfter is how long a bar shows no time left: the first units of a task say little
// about the others.
const estimateAfter = 5 * time.Second

// ProgressBar shows on a terminal how much of a task is done, its rate and, from
// estimateAfter on, the time left. A nil ProgressBar does nothing.
type ProgressBar struct {
	bar *progressbar.ProgressBar
	// began is the time of the first Set, which may resume at from units.
	began time.Time
	from  int64
}

// NewProgressBar draws an empty bar for a total of so many units, such as "events".
// It is nil where the screen is no terminal.
func NewProgressBar(s Screen, total int64, unit string) *ProgressBar {
	if s.Width == 0 {
		return nil
	}
	return &ProgressBar{bar: progressbar.NewOptions64(max(1, total),
		progressbar.OptionSetWriter(s.Writer),
		progressbar.OptionSetDescription(fixedWidth("", barLabel+barLeft)),
		progressbar.OptionSetWidth(max(minBar, s.Width-barLabel-barLeft-barFigures)),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
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
	if b.began.IsZero() {
		b.began, b.from = time.Now(), done
	}
	left := timeLeft(done-b.from, b.bar.GetMax64()-b.from, time.Since(b.began))
	b.bar.Describe(fixedWidth(label, barLabel) + fixedWidth(left, barLeft))
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

// timeLeft is how long a task takes yet of which done of total units took so long; "" while
// that is a guess.
func timeLeft(done, total int64, took time.Duration) string {
	if took < estimateAfter || done <= 0 || done >= total {
		return ""
	}
	left := time.Duration(float64(took) / float64(done) * float64(total-done))
	if left >= time.Hour {
		return fmt.Sprintf("%dh%dm left", left/time.Hour, left%time.Hour/time.Minute)
	}
	return left.Round(time.Second).String() + " left"
}

// fixedWidth is a text of so many columns.
func fixedWidth(text string, columns int) string {
	text = Truncate(Printable(text), columns)
	return text + strings.Repeat(" ", max(0, columns-runewidth.StringWidth(text)))
}
