package httpapi

import (
	"fmt"
	"os"
	"testing"

	"docket/internal/pgtest"
)

// TestMain also fails where a test leaves a goroutine behind, such as one of a
// feed that doesn't stop.
func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if err := pgtest.Leaked(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
