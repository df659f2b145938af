package notify_test

import (
	"testing"

	"docket/domain"
	"docket/notify"

	"github.com/jackc/pgx/v5/pgxpool"
)

func TestInboxWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://docket@127.0.0.1:1/docket?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	inbox, s := notify.NewInbox(nowhere, nil), domain.Operate(newID[domain.TenantID](t))
	_, _, list := inbox.List(t.Context(), s, notify.Filter{}, nil, 50, 0)
	for what, err := range map[string]error{"list": list, "mark": inbox.MarkAllRead(t.Context(), s)} {
		if domain.CodeOf(err) != domain.CodeOverloaded {
			t.Errorf("%s: got %v", what, err)
		}
	}
}
