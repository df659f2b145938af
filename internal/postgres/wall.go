package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// sqlBeyondRole lists what the login of this session could be besides the role $1,
// were a statement of ours ever open to injection: SET ROLE and SET SESSION
// AUTHORIZATION are statements like any other. The login itself is no addition
// where it owns no table.
const sqlBeyondRole = `
SELECT 'is a superuser' FROM pg_roles WHERE rolname = session_user AND rolsuper
UNION ALL
SELECT 'bypasses row-level security' FROM pg_roles WHERE rolname = session_user AND rolbypassrls
UNION ALL
SELECT 'may make roles' FROM pg_roles WHERE rolname = session_user AND rolcreaterole AND NOT rolsuper
UNION ALL
SELECT 'may replicate everything' FROM pg_roles WHERE rolname = session_user AND rolreplication AND NOT rolsuper
UNION ALL
SELECT 'its role ' || rolname || ' is a superuser or bypasses row-level security' FROM pg_roles
WHERE rolname = $1 AND (rolsuper OR rolbypassrls)
UNION ALL
SELECT 'may become ' || r.rolname FROM pg_roles r
WHERE r.rolname <> $1 AND r.rolname <> session_user
  AND pg_has_role(session_user, r.oid, 'MEMBER')
UNION ALL
SELECT 'owns tables' WHERE EXISTS (
  SELECT 1 FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
  WHERE r.rolname = session_user AND c.relkind IN ('r', 'p')
    AND c.relnamespace = 'public'::regnamespace)`

// Beyond tells in words what the login of a pool's sessions could do beyond role,
// "" when nothing: the third wall between tenants is then as strong as it gets.
// It is not when one login serves for everything.
func Beyond(ctx context.Context, pool *pgxpool.Pool, role Role) (string, error) {
	rows, err := pool.Query(ctx, sqlBeyondRole, role)
	if err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	defer rows.Close()
	var reasons []string
	for rows.Next() {
		var reason string
		if err := rows.Scan(&reason); err != nil {
			return "", fmt.Errorf("postgres: %w", err)
		}
		reasons = append(reasons, reason)
		if reason == "is a superuser" {
			break // and therefore a member of everything
		}
	}
	if err := rows.Err(); err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	return strings.Join(reasons, ", "), nil
}
