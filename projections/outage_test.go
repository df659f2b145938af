package projections

import (
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A read while Postgres is away is refused as overloaded, which asks the client to retry,
// and not as an internal error.
func TestReadsWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	nowhere, err := pgxpool.New(t.Context(), "postgres://docket@127.0.0.1:1/docket?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	q, s := NewQueries(nowhere, nil), domain.Operate(tenanttest.NewID[domain.TenantID](t))
	_, one := q.Project(t.Context(), s, tenanttest.NewID[domain.ProjectID](t), Fresh{})
	_, _, list := q.Members(t.Context(), s, MemberFilter{}, Page{}, Fresh{})
	_, _, own := q.Memberships(t.Context(), tenanttest.NewID[domain.UserID](t), Page{}, nil)
	for what, err := range map[string]error{"one": one, "list": list, "own": own} {
		if domain.CodeOf(err) != domain.CodeOverloaded {
			t.Errorf("%s: got %v", what, err)
		}
	}
}
