package pgtest

import (
	"context"
	"testing"

	"docket/internal/postgres"
)

// NewDurable is New on a server of the test's own that keeps what it acknowledges:
// the program isn't ready on any other.
func NewDurable(t testing.TB) *DB {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{DataDir: MigratedDir(t)})
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
	return &DB{
		Name:     postgres.Database,
		OwnerURL: url(postgres.OwnerLogin), EngineURL: url(postgres.EngineLogin), APIURL: url(postgres.APILogin),
	}
}
