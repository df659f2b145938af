package pgtest_test

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/pgtest"
	"docket/internal/postgres"
	"docket/migrations"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestNew(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, url := range []string{db.OwnerURL, db.EngineURL, db.APIURL} {
		if current, target, err := migrations.Pending(t.Context(), url); err != nil || current != target {
			t.Errorf("%s: at %d of %d, %v", url, current, target, err)
		}
	}
	for want, pool := range map[string]interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}{
		string(postgres.OwnerLogin): db.Owner(t),
		string(postgres.EngineRole): db.Engine(t),
		string(postgres.APIRole):    db.API(t),
	} {
		var user, database string
		if err := pool.QueryRow(t.Context(), `SELECT current_user, current_database()`).Scan(&user, &database); err != nil {
			t.Fatal(err)
		}
		if user != want || database != db.Name {
			t.Errorf("%s in %s, want %s in %s", user, database, want, db.Name)
		}
	}
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := pgtest.New(t), pgtest.New(t)
	if _, err := a.Owner(t).Exec(t.Context(), `CREATE TABLE mine (x int)`); err != nil {
		t.Fatal(err)
	}
	var seen bool
	if err := b.Owner(t).QueryRow(t.Context(), `SELECT to_regclass('mine') IS NOT NULL`).Scan(&seen); err != nil || seen {
		t.Errorf("one test's table in another's database: %v, %v", seen, err)
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var left *pgtest.DB
	t.Run("inner", func(t *testing.T) {
		left = pgtest.New(t)
		// A session that the test forgets does not keep the database.
		if _, err := pgx.Connect(context.Background(), left.OwnerURL); err != nil {
			t.Fatal(err)
		}
	})
	if c, err := pgx.Connect(t.Context(), left.OwnerURL); err == nil {
		c.Close(t.Context())
		t.Error("the database outlived its test")
	}
}

// TestHold is the second program of TestKilledTestBinaryLeavesNothing.
func TestHold(t *testing.T) {
	if os.Getenv("DOCKET_TEST_HOLD") == "" {
		t.Skip("run by TestKilledTestBinaryLeavesNothing")
	}
	// One server for all tests, and one that a test starts itself.
	fmt.Println(pgtest.New(t).OwnerURL)
	s, err := postgres.Start(t.Context(), postgres.Config{DataDir: filepath.Join(pgtest.TempDir(t), "data"), Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(s.URL(postgres.OwnerLogin, postgres.Database))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestKilledTestBinaryLeavesNothing(t *testing.T) {
	if os.Getenv("DOCKET_TEST_DATABASE_URL") != "" {
		t.Skip("the server is not ours")
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHold$")
	cmd.Env = append(os.Environ(), "DOCKET_TEST_HOLD=1")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addresses [2]string
	if _, err := fmt.Fscan(out, &addresses[0], &addresses[1]); err != nil {
		t.Fatal(err)
	}
	var sessions [2]*pgx.Conn
	for i := range addresses {
		if sessions[i], err = pgx.Connect(t.Context(), addresses[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for i, session := range sessions {
		// The server's end ends the session.
		if _, err := session.WaitForNotification(t.Context()); err == nil {
			t.Error("a server is alive")
		}
		u, err := url.Parse(addresses[i])
		if err != nil {
			t.Fatal(err)
		}
		awaitGone(t, filepath.Dir(u.Query().Get("host")))
	}
}

// awaitGone returns when there is no dir. No event says so; the deadline of the whole
// test run bounds the polling.
func awaitGone(t *testing.T, dir string) {
	t.Helper()
	for {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
