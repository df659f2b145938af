package pgtest_test

import (
	"os"
	"testing"

	"docket/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestNew(t *testing.T) {
	for range 4 {
		t.Run("one", func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			for _, c := range []struct {
				pool interface{ Close() }
			}{{db.Engine(t)}, {db.API(t)}, {db.Owner(t)}} {
				_ = c
			}
		})
	}
}
