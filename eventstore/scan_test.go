package eventstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lentRow is a row whose buffer the driver will use again.
type lentRow struct {
	fields []pgconn.FieldDescription
	values [][]byte
}

func lend(row pgx.CollectableRow) *lentRow {
	r := &lentRow{fields: slices.Clone(row.FieldDescriptions())}
	for _, v := range row.RawValues() {
		r.values = append(r.values, slices.Clone(v))
	}
	return r
}

func (r *lentRow) FieldDescriptions() []pgconn.FieldDescription { return r.fields }
func (r *lentRow) RawValues() [][]byte                          { return r.values }
func (r *lentRow) Values() ([]any, error)                       { panic("not asked for") }
func (r *lentRow) Scan(...any) error                            { panic("not asked for") }

const scanSQL = `select ` + eventstore.Columns + ` from events where tenant_id = $1 order by seq`

// An event is read alike in whatever format it comes, with and without the driver's
// help, and keeps nothing of the driver's buffers.
func TestScanInEveryFormat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant() // an event without an actor
	stream, user := newStream(t), tenanttest.NewID[domain.UserID](t)
	f.Append(f.Store, eventstore.Commit{
		Actor: user, Meta: domain.Meta{RequestID: "r-1", ActorName: new(domain.About(user, "Ann <&> Ö"))},
		Parts: []eventstore.Part{part(tenant, stream, 0, 3)},
	})
	read := func(scan pgx.RowToFunc[domain.Recorded], args ...any) []domain.Recorded {
		t.Helper()
		rows, err := f.Engine.Query(context.Background(), scanSQL, args...)
		if err != nil {
			t.Fatal(err)
		}
		events, err := pgx.CollectRows(rows, scan)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	want := read(func(row pgx.CollectableRow) (domain.Recorded, error) {
		lent := lend(row)
		r, ok, err := eventstore.ScanBinary(lent)
		if !ok {
			t.Error("a row of a prepared statement needs the driver's help")
		}
		for _, v := range lent.values {
			for i := range v {
				v[i] = 'x'
			}
		}
		return r, err
	}, tenant.UUID())
	if len(want) != 4 || want[3].ActorName() != "Ann <&> Ö" || want[3].Actor != user || want[3].Version != 3 || want[3].At.Location() != time.UTC {
		t.Fatalf("%+v", want)
	}
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		if d := cmp.Diff(want, read(eventstore.Scan, mode, tenant.UUID())); d != "" {
			t.Errorf("%s: -binary +scan:\n%s", mode, d)
		}
	}
	for _, formats := range []pgx.QueryResultFormats{{pgx.TextFormatCode}, {pgx.BinaryFormatCode}} {
		if d := cmp.Diff(want, read(eventstore.Scan, formats, tenant.UUID())); d != "" {
			t.Errorf("format %d: -binary +scan:\n%s", formats[0], d)
		}
	}
}

// The driver returns an error for a malformed row.
func TestScanRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, sql := range map[string]string{
		"a time that is none": `select $1::uuid, 1::bigint, 'task', $1, 1, 'task.deleted', 1::int2, 'infinity'::timestamptz, $1, $1, '{}'::json, '{}'::json`,
		"null":                `select $1::uuid, null::bigint, 'task', $1, 1, 'task.deleted', 1::int2, now(), $1, $1, '{}'::json, '{}'::json`,
		"too few columns":     `select $1::uuid, 1::bigint`,
	} {
		rows, err := f.Engine.Query(context.Background(), sql, tenanttest.NewID[domain.TaskID](t).UUID())
		if err != nil {
			t.Fatal(err)
		}
		if events, err := pgx.CollectRows(rows, eventstore.Scan); err == nil {
			t.Errorf("%s: %+v", name, events)
		}
	}
}

// BenchmarkScan is once for every event that is read, after the driver has it.
func BenchmarkScan(b *testing.B) {
	s := newBenchStore(b)
	s.grow(b, 1)
	rows, err := s.store.Rows(b.Context(), scanSQL, s.tenant.UUID())
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var last *lentRow
	for rows.Next() {
		last = lend(rows)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := eventstore.Scan(last); err != nil || r.Version != 1 {
			b.Fatal(r, err)
		}
	}
}
