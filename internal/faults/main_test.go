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
	durationFlag = flag.Duration("faults.duration", 0, "go on with faults for so long; 0: each fault once or twice")
)

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
