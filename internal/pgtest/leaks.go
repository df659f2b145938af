package pgtest

import (
	"time"

	"go.uber.org/goleak"
)

// leakPatience is how long goroutines have to end.
const leakPatience = 30 * time.Second

// Leaked is goleak.Find with more patience: the error names the goroutines that
// are still there after half a minute. goleak gives up after half a second, in
// which a closed pool on a busy machine hasn't parted with all its connections,
// and has no option for that.
func Leaked(options ...goleak.Option) error {
	for deadline := time.Now().Add(leakPatience); ; {
		err := goleak.Find(options...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
