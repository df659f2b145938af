package eventstore_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// The append function decides and writes the same as that of the release before, row by
// row and set by set.
func TestAppendBatchDecidesAsAppend(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenants := []domain.TenantID{domain.Platform, f.Tenant(), f.Tenant(), tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.TenantID](t)}
	streams := make([]domain.StreamID, 6)
	for i := range streams {
		streams[i] = newStream(t)
	}
	holders := []uuid.UUID{uuid.New(), uuid.New()}
	for i, tenant := range tenants[:3] {
		for n, s := range streams[:3] {
			f.Append(f.Store, commit(t, part(tenant, s, 0, 1+(i+n)%3)))
		}
		c := commit(t, part(tenant, newStream(t), 0, 1))
		for n, v := range []string{"1", "2", "3"} {
			c.Claims = append(c.Claims, eventstore.Claim{Tenant: tenant, Kind: "k", Value: v, Holder: holders[n%2]})
		}
		c.Entry = entry(tenant, "1")
		f.Append(f.Store, c)
	}
	const dump = `select coalesce(string_agg(x, E'\n' order by x), '') from (
select row(tenant_id, seq, stream_type, stream_id, version, type, schema_version, actor_id, command_id, data::text, meta::text)::text as x from events
union all select claims::text from claims union all select tenant_logs::text from tenant_logs
union all select row(tenant_id, key_hash, command_id, seq, stream_tenant, stream_id, version, refusal::text)::text from commands) as all_of_it`
	accepted, refused := 0, map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		commits := make([]eventstore.Commit, rapid.IntRange(1, 6).Draw(r, "commits"))
		for i := range commits {
			of := []domain.TenantID{rapid.SampledFrom(tenants).Draw(r, "tenant")}
			if rapid.Bool().Draw(r, "two") {
				of = append(of, domain.Platform)
			}
			tenant := func() domain.TenantID { return rapid.SampledFrom(of).Draw(r, "of") }
			version := func(t domain.TenantID, s domain.StreamID) int {
				if rapid.IntRange(0, 9).Draw(r, "wrong") == 0 {
					return 7
				}
				for i := range tenants[:3] {
					for n := range streams[:3] {
						if tenants[i] == t && streams[n] == s {
							return 1 + (i+n)%3
						}
					}
				}
				return 0
			}
			c := commit(t)
			used := map[string]bool{}
			for range rapid.IntRange(0, 2).Draw(r, "parts") {
				of, s := tenant(), rapid.SampledFrom(streams).Draw(r, "stream")
				if key := fmt.Sprint(of, s); !used[key] {
					used[key] = true
					c.Parts = append(c.Parts, part(of, s, version(of, s), rapid.IntRange(1, 2).Draw(r, "n")))
				}
			}
			if rapid.Bool().Draw(r, "guard") {
				of, s := tenant(), rapid.SampledFrom(streams).Draw(r, "guarded")
				if key := fmt.Sprint(of, s); !used[key] {
					c.Guards = append(c.Guards, eventstore.Guard{Tenant: of, Stream: s, Version: version(of, s)})
				}
			}
			taken := map[string]bool{}
			for range rapid.IntRange(0, 3).Draw(r, "claims") {
				k := eventstore.Claim{Tenant: tenant(), Kind: "k", Value: rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(r, "value"),
					Holder: rapid.SampledFrom(holders).Draw(r, "holder"), Release: rapid.Bool().Draw(r, "release")}
				if key := fmt.Sprint(k.Tenant, k.Value); k.Release || !taken[key] {
					taken[key] = taken[key] || !k.Release
					c.Claims = append(c.Claims, k)
				}
			}
			if len(c.Parts) == 0 || rapid.Bool().Draw(r, "keyed") {
				c.Entry = entry(tenant(), rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6"}).Draw(r, "key"))
				if len(c.Parts) > 0 && rapid.Bool().Draw(r, "answer") {
					c.Entry.Answer = &eventstore.Version{Tenant: c.Parts[0].Tenant, Stream: c.Parts[0].Stream, Version: 3}
				} else if rapid.Bool().Draw(r, "refusal") {
					c.Entry.Refusal = json.RawMessage(`{"a": 1}`)
				}
			}
			if len(c.Parts) > 0 && c.Parts[0].Tenant != domain.Platform && rapid.Bool().Draw(r, "new") {
				c.NewTenants = []domain.TenantID{c.Parts[0].Tenant}
			}
			commits[i] = c
		}
		var outs, dumps [3]string
		for path, function := range []string{eventstore.AppendBatch, eventstore.AppendBefore, eventstore.AppendBefore} {
			pad := max(0, path-1) * 40
			tx, err := f.Engine.Begin(t.Context())
			if err != nil {
				r.Fatal(err)
			}
			out, n, err := eventstore.Decide(t.Context(), tx, function, commits, pad)
			if err != nil {
				outs[path] = err.Error()
			} else {
				outs[path] = out
				if err := tx.QueryRow(t.Context(), dump).Scan(&dumps[path]); err != nil {
					r.Fatal(err)
				}
			}
			accepted += n
			_ = tx.Rollback(t.Context())
		}
		if contains(outs[0], "returned ") {
			r.Fatal(outs[0])
		}
		for path := range outs {
			if outs[path] != outs[0] || dumps[path] != dumps[0] {
				r.Fatalf("path %d, outcomes:\n%s\nrows:\n%s", path, cmp.Diff(outs[0], outs[path]), cmp.Diff(dumps[0], dumps[path]))
			}
		}
		for _, k := range []string{"key", "tenant", "version", "claim", "SQLSTATE"} {
			if contains(outs[0], k) {
				refused[k]++
			}
		}
	})
	t.Log(accepted, refused)
}

func contains(s, k string) bool {
	for i := range len(s) - len(k) + 1 {
		if s[i:i+len(k)] == k {
			return true
		}
	}
	return false
}
