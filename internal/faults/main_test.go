//go:build linux

package faults_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"docket/internal/pgtest"
)

var (
	seedFlag     = flag.Uint64("faults.seed", 0, "repeat the run with this seed; 0: a new one")
	onlyFlag     = flag.String("faults.only", "", "only the faults whose names have this in them")
	longFlag     = flag.Bool("faults.long", false, "the long form: the worst faults twice, more load between two faults, more rounds")
	durationFlag = flag.Duration("faults.duration", 0, "go on with faults for so long; 0: each fault once or twice")
)

// shortening is by how much the quick form of a test is shorter than its long one.
const shortening = 8

// scaled is how many of a loop's long rounds are run.
func scaled(long int) int {
	if *longFlag {
		return long
	}
	return max(1, long/shortening)
}

func TestMain(m *testing.M) {
	if os.Getenv(followerVariable) != "" {
		os.Exit(follow())
	}
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano())
	}
	code := pgtest.Run(m)
	if err := removeBinary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
