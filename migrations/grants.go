package migrations

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"docket/internal/postgres"
)

// Grants are the rights that the migrations give the group roles, in the order of the
// files. A program whose login lacks one of them can't do its work. A test compares them
// with the catalog of a migrated database.
var Grants = sync.OnceValues(readGrants)

// grantStatement is a GRANT or REVOKE, as all migrations write them.
var grantStatement = regexp.MustCompile(`(?is)^\s*(grant|revoke)\s+(.+?)\s+on\s+(schema\s+|function\s+|table\s+)?(.+?)\s+(?:to|from)\s+([^;]+);`)

// privilege is one of those that are granted together, with the columns that it is limited to.
var privilege = regexp.MustCompile(`(?i)(select|insert|update|delete|execute|usage)\s*(?:\(([^)]*)\))?`)

func readGrants() ([]postgres.Grant, error) {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var all []postgres.Grant
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		for _, statement := range strings.SplitAfter(withoutComments(up), ";") {
			if m := grantStatement.FindStringSubmatch(statement); m != nil {
				if err := applyGrant(&all, m); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
	return all, nil
}

// applyGrant adds or removes the rights of a statement of which m are the parts.
func applyGrant(all *[]postgres.Grant, m []string) error {
	kind := postgres.GrantKind(strings.ToLower(strings.TrimSpace(m[3])))
	if kind == "" {
		kind = postgres.GrantTable
	}
	for _, role := range words(m[5]) {
		if role != string(postgres.EngineRole) && role != string(postgres.APIRole) {
			continue
		}
		for _, object := range words(m[4]) {
			for _, p := range privilege.FindAllStringSubmatch(m[2], -1) {
				for _, column := range columnsOf(p[2]) {
					g := postgres.Grant{Role: postgres.Role(role), Kind: kind, Object: object, Column: column, Privilege: strings.ToUpper(p[1])}
					if !strings.EqualFold(m[1], "grant") {
						return fmt.Errorf("takes %v away, which isn't read", g)
					}
					*all = append(*all, g)
				}
			}
		}
	}
	return nil
}

// columnsOf are the columns of a privilege; one empty name where it is of the whole table.
func columnsOf(list string) []string {
	if list == "" {
		return []string{""}
	}
	return words(list)
}

// words are the names of a list with commas.
func words(list string) []string {
	var all []string
	for word := range strings.SplitSeq(list, ",") {
		all = append(all, strings.ToLower(strings.TrimSpace(word)))
	}
	return all
}

// withoutComments is SQL without its comments, which may have semicolons.
func withoutComments(sql string) string {
	var out strings.Builder
	for line := range strings.Lines(sql) {
		code, _, _ := strings.Cut(line, "--")
		out.WriteString(code + "\n")
	}
	return out.String()
}
