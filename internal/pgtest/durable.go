package pgtest

import (
	"context"
	"path/filepath"
	"testing"

	"docket/internal/postgres"
	"docket/migrations"
)

// NewDurable is New on a server of the test's own that keeps what it acknowledges:
// the program isn't ready on any other. It takes a second or two.
func NewDurable(t testing.TB) *DB {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{DataDir: filepath.Join(TempDir(t), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context ends before cleanup.
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	url := func(login postgres.Login) string { return server.URL(login, postgres.Database) }
	if err := migrations.Up(t.Context(), url(postgres.OwnerLogin), nil); err != nil {
		t.Fatal(err)
	}
	return &DB{
		Name:     postgres.Database,
		OwnerURL: url(postgres.OwnerLogin), EngineURL: url(postgres.EngineLogin), APIURL: url(postgres.APILogin),
	}
}
