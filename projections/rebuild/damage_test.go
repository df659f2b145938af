package rebuild

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// damages are statements that spoil one row of a tenant ($1): each returns the key of
// the row, and says what is found.
var damages = []struct {
	model, sql string
	kind       Kind
	columns    string
}{
	{"tenants", `update tenants set channel = 'smoke', four_eyes = not four_eyes where tenant_id = $1 returning id::text`, Changed, "channel four_eyes"},
	{"tenants", `delete from tenants where tenant_id = $1 returning id::text`, Missing, ""},
	{"members", `update members set role = 'owner', user_version = 77 where (tenant_id, user_id) = (select tenant_id, user_id from members
  where tenant_id = $1 and role <> 'owner' limit 1) returning user_id::text`, Changed, "role user_version"},
	{"projects", `update projects set description = '' where (tenant_id, id) = (select tenant_id, id from projects
  where tenant_id = $1 order by random() limit 1) returning id::text`, Changed, "description"},
	{"projects", `delete from projects where (tenant_id, id) = (select tenant_id, id from projects
  where tenant_id = $1 order by random() limit 1) returning id::text`, Missing, ""},
	{"tasks", `update tasks set labels = labels || '["x"]' where (tenant_id, id) = (select tenant_id, id from tasks
  where tenant_id = $1 order by random() limit 1) returning id::text`, Changed, "labels"},
	{"tasks", `update tasks set seq = seq - 1 where (tenant_id, id) = (select tenant_id, id from tasks
  where tenant_id = $1 order by random() limit 1) returning id::text`, Changed, "seq"},
	{"tasks", `insert into tasks select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()))).* from tasks t
  where tenant_id = $1 limit 1 returning id::text`, Extra, ""},
	{"tasks", `insert into tasks select (jsonb_populate_record(t, '{"id": "00000000-0000-0000-0000-000000000000"}')).* from tasks t
  where tenant_id = $1 limit 1 returning id::text`, Extra, ""},
	{"comments", `update comments set updated_at = updated_at + interval '1 microsecond' where (tenant_id, id) = (select tenant_id, id from comments
  where tenant_id = $1 order by random() limit 1) returning id::text`, Changed, "updated_at"},
	{"activity", `update activity set action = 'task.moved', actor_id = null where (tenant_id, seq) = (select tenant_id, seq from activity
  where tenant_id = $1 order by random() limit 1) returning seq::text`, Changed, "actor_id action"},
	{"activity", `delete from activity where (tenant_id, seq) = (select tenant_id, seq from activity
  where tenant_id = $1 order by random() limit 1) returning seq::text`, Missing, ""},
	{"activity", `insert into activity select (jsonb_populate_record(a, '{"seq": -5}')).* from activity a
  where tenant_id = $1 limit 1 returning seq::text`, Extra, ""},
}

// Rows that are spoilt in any way, in runs of any length, are named, those and no
// others; another tenant's aren't touched; nothing is changed; repair cures.
func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.RunAll(t, 50)
	c, ann := w.Company(t, 9)
	d, _ := w.Company(t, 2)
	if err := c.ChangeProject(t, ann, c.ProjectIDs[0], domain.EditProject{Name: domain.To("Renamed")}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	w.Caught(t, d)
	stop() // the live rows stay as they are spoilt
	w.sound(t, c)
	before := w.bookkeeping(t)
	all := []domain.TenantID{c.ID, d.ID}
	rapid.Check(t, func(t *rapid.T) {
		r := &Rebuilder{engine: w.Engine, PageSize: rapid.IntRange(1, 40).Draw(t, "page"), compareRows: rapid.IntRange(1, 12).Draw(t, "run"), Workers: 2}
		hurt := rapid.SampledFrom(all).Draw(t, "tenant")
		chosen := rapid.SliceOfNDistinct(rapid.IntRange(0, len(damages)-1), 1, 4, rapid.ID).Draw(t, "damages")
		want, keys := []found{}, map[string]bool{}
		var hurtModels []string
		for _, i := range chosen {
			k := damages[i]
			var key string
			if err := w.Engine.QueryRow(context.Background(), k.sql, hurt.UUID()).Scan(&key); err != nil {
				if strings.Contains(err.Error(), "no rows") {
					continue // that tenant has none such, or it was spoilt away
				}
				t.Fatal(k.sql, err)
			}
			if keys[k.model+key] {
				// The same row twice: what would be found depends on the order.
				if err := r.Rebuild(context.Background(), []domain.TenantID{hurt}, nil, nil); err != nil {
					t.Fatal(err)
				}
				return
			}
			keys[k.model+key] = true
			if !slices.Contains(hurtModels, k.model) {
				hurtModels = append(hurtModels, k.model)
			}
			want = append(want, found{hurt, k.model, key, k.kind, k.columns})
		}
		slices.SortFunc(want, func(a, b found) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		rows, books := w.dump(t, c)+w.dump(t, d), w.bookkeeping(t)
		got, verdicts, err := verify(t, r, all, nil, false)
		if err != nil || len(verdicts) != 2*len(projections.Models()) {
			t.Fatalf("%d verdicts of two tenants' %d read models, %v", len(verdicts), len(projections.Models()), err)
		}
		if diff := cmp.Diff(want, append([]found{}, got...)); diff != "" {
			t.Fatalf("named -want +got:\n%s", diff)
		}
		equal(t, "rows after verify", w.dump(t, c)+w.dump(t, d), rows)
		equal(t, "bookkeeping after verify", w.bookkeeping(t), books)
		// Cured, and the same is found once more.
		again, _, err := verify(t, r, []domain.TenantID{hurt}, hurtModels, true)
		if err != nil || cmp.Diff(got, again) != "" {
			t.Fatalf("the repair found %v, %v; want %v as before", again, err, got)
		}
		if rest, _, err := verify(t, r, []domain.TenantID{hurt}, hurtModels, false); err != nil || len(rest) > 0 {
			t.Fatalf("after the repair %v differ, want none (%v)", rest, err)
		}
	})
	w.isFoldOfLog(t, c, "tenants")
	w.isFoldOfLog(t, c, "members")
	w.isFoldOfLog(t, c, "projects")
	w.isFoldOfLog(t, c, "tasks")
	w.isFoldOfLog(t, c, "comments")
	w.isFoldOfLog(t, c, "activity")
	if strings.Count(w.bookkeeping(t), "\n") > strings.Count(before, "\n")+2*len(projections.Models()) { // the rows of generations
		t.Errorf("left behind:\n%s", w.bookkeeping(t))
	}
}

// bookkeeping is what isn't rows: checkpoints and generations, and how many rows of
// which generations there are.
func (w *world) bookkeeping(t tenanttest.TB) string {
	t.Helper()
	var parts []string
	for _, m := range projections.ReadModels() {
		parts = append(parts, `select '`+m.Table+`', tenant_id::text, generation::text, count(*)::text from `+m.Table+` group by 1, 2, 3`)
	}
	parts = append(parts,
		`select 'checkpoint ' || subscription, tenant_id::text, generation::text, to_jsonb(c)::text from checkpoints c`,
		`select 'generation ' || subscription, tenant_id::text, current::text, '' from generations`)
	var all string
	if err := w.Engine.QueryRow(context.Background(), `select coalesce(string_agg(s::text, e'\n' order by s::text), '')
from (`+strings.Join(parts, "\nunion all ")+`) s`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}
