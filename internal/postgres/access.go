package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// GrantKind is what a right is of.
type GrantKind string

// The kinds of Grant.
const (
	GrantTable    GrantKind = "table"
	GrantFunction GrantKind = "function"
	GrantSchema   GrantKind = "schema"
)

// Grant is a right of a group role.
type Grant struct {
	Role Role
	Kind GrantKind
	// Object is the table, the function (of a name that no other has) or the schema.
	Object string
	// Column limits a right of a table; "" is all columns.
	Column    string
	Privilege string // such as SELECT
}

// AccessError says why a login can't do its work although the server answers.
type AccessError struct {
	// ReadOnly says that the server is a standby, or that sessions are set read-only.
	ReadOnly bool
	// Missing are rights that the role lacks, such as "INSERT on events".
	Missing []string
}

func (e *AccessError) Error() string {
	var problems []string
	if e.ReadOnly {
		problems = append(problems, "the database is read-only")
	}
	if len(e.Missing) > 0 {
		problems = append(problems, "rights are missing: "+strings.Join(e.Missing, ", "))
	}
	return strings.Join(problems, "; ")
}

// sqlAccess asks what the session's role may do, and writes nothing: whether it is
// read-only, and which rights it lacks of those given by $1 kinds, $2 objects, $3 columns
// and $4 privileges (text[] each). A table or function that isn't there lacks none: a
// newer schema may have dropped it.
const sqlAccess = `
SELECT current_setting('transaction_read_only') = 'on',
  array(SELECT privilege || ' on ' || object || CASE WHEN column_name <> '' THEN '.' || column_name ELSE '' END
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS g (kind, object, column_name, privilege, place)
  LEFT JOIN pg_class c ON g.kind = 'table' AND c.relname = g.object AND c.relnamespace = 'public'::regnamespace
  LEFT JOIN pg_proc f ON g.kind = 'function' AND f.proname = g.object AND f.pronamespace = 'public'::regnamespace
  WHERE NOT CASE
    WHEN g.kind = 'schema' THEN has_schema_privilege(g.object, g.privilege)
    WHEN g.kind = 'function' THEN f.oid IS NULL OR has_function_privilege(f.oid, g.privilege)
    WHEN c.oid IS NULL THEN true
    WHEN g.column_name <> '' THEN has_column_privilege(c.oid, g.column_name, g.privilege)
    ELSE has_table_privilege(c.oid, g.privilege) END
  ORDER BY place)`

// CheckAccess asks whether the sessions of a pool can do what a role does: the server is
// not read-only and the role has its rights among grants. Errors: *AccessError; any other
// says that the server could not be asked.
func CheckAccess(ctx context.Context, pool *pgxpool.Pool, role Role, grants []Grant) error {
	var kinds, objects, columns, privileges []string
	for _, g := range grants {
		if g.Role == role {
			kinds, objects = append(kinds, string(g.Kind)), append(objects, g.Object)
			columns, privileges = append(columns, g.Column), append(privileges, g.Privilege)
		}
	}
	var lacks AccessError
	err := pool.QueryRow(ctx, sqlAccess, kinds, objects, columns, privileges).Scan(&lacks.ReadOnly, &lacks.Missing)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if lacks.ReadOnly || len(lacks.Missing) > 0 {
		return &lacks
	}
	return nil
}

// Refusal says in words for the public why a server refuses a session or a statement, or
// "" for any other error. The words name no login and no database.
func Refusal(err error) string {
	var access *AccessError
	switch {
	case errors.As(err, &access) && access.ReadOnly:
		return "the database is read-only"
	case errors.As(err, &access), hasCode(err, codeInsufficientPrivilege):
		return "the database gives a login of this server too few rights"
	case hasCode(err, "28000", "28P01"):
		return "the database refuses a login of this server"
	case hasCode(err, "3D000"):
		return "the server of the database has no such database"
	case hasCode(err, codeInvalidParameter, codeUndefinedObject):
		return "the database lacks a role of this server"
	}
	return ""
}
