package notify_test

import (
	"bytes"
	"errors"
	"testing"

	"docket/domain"
	"docket/internal/seal"
	"docket/notify"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestSecretsAreKeptSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.secrets()
	a, b := newID[domain.TenantID](t), newID[domain.TenantID](t)
	id, other := newID[domain.SecretID](t), newID[domain.SecretID](t)
	const value = "https://hooks.slack.com/services/T000/B000/XXXX"
	for _, v := range []string{"something else", value} {
		if err := s.Put(t.Context(), a, id, v); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Get(t.Context(), a, id); err != nil || got != value {
		t.Errorf("got %q, %v", got, err)
	}
	for name, try := range map[string]func() (string, error){
		"another tenant's": func() (string, error) { return s.Get(t.Context(), b, id) },
		"another name":     func() (string, error) { return s.Get(t.Context(), a, other) },
	} {
		if got, err := try(); !errors.Is(err, notify.ErrNoSecret) || got != "" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	var sealed []byte
	if err := w.engine.QueryRow(t.Context(), `select sealed from tenant_secrets`).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("hooks.slack.com")) {
		t.Error("the secret can be read in the table")
	}

	// A row that was copied to another tenant or name does not open.
	if _, err := w.engine.Exec(t.Context(), `insert into tenant_secrets (tenant_id, id, sealed) values ($1, $2, $4), ($3, $5, $4)`,
		b.UUID(), id.UUID(), a.UUID(), sealed, other.UUID()); err != nil {
		t.Fatal(err)
	}
	changed, err := notify.NewSecrets(w.engine, bytes.Repeat([]byte("x"), 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() (string, error){
		"moved to a tenant":  func() (string, error) { return s.Get(t.Context(), b, id) },
		"moved to a name":    func() (string, error) { return s.Get(t.Context(), a, other) },
		"another master key": func() (string, error) { return changed.Get(t.Context(), a, id) },
	} {
		if got, err := try(); !errors.Is(err, seal.ErrUnreadable) || got != "" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := notify.NewSecrets(w.engine, make([]byte, 31)); err == nil {
		t.Error("a short master key passed")
	}
}

// The api role reads no delivery and no secret.
func TestAPISeesNothingOfTheQueue(t *testing.T) {
	t.Parallel()
	api := newWorld(t).db.API(t)
	for _, table := range []string{"deliveries", "tenant_secrets", "tenant_channels", "recipients"} {
		_, err := api.Exec(t.Context(), `select from `+table)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: got %v, want insufficient privilege", table, err)
		}
	}
}

// A secret that can't be kept now can be sent again.
func TestSecretsWithoutPostgres(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://docket@127.0.0.1:1/docket?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	s, err := notify.NewSecrets(nowhere, masterKey)
	if err != nil {
		t.Fatal(err)
	}
	tenant, id := newID[domain.TenantID](t), newID[domain.SecretID](t)
	if err := s.Put(t.Context(), tenant, id, "https://hooks.slack.com/x"); domain.CodeOf(err) != domain.CodeOverloaded {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Get(t.Context(), tenant, id); domain.CodeOf(err) != domain.CodeOverloaded {
		t.Errorf("get: %v", err)
	}
}
