package projections

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgtype"
)

// column is a column of a read model's table and the field of the row that it
// holds. Fields are reached by pointer, so that one accessor serves both ways.
type column[R any] struct {
	name string
	// typ is the column's type in SQL.
	typ string
	// target is what a query scans the column into.
	target func(*R) any
	// array are the fields of many rows, as one parameter of type typ[].
	array func([]*R) any
}

// array is an array of one of the driver's own types, which it is shown by pointer:
// of a slice it copies each value to the heap, of most types by reflection.
type array[V any] []V

// Dimensions implements pgtype.ArrayGetter.
func (a array[V]) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(a)), LowerBound: 1}}
}

// Index implements pgtype.ArrayGetter.
func (a array[V]) Index(i int) any { return &a[i] }

// IndexType implements pgtype.ArrayGetter.
func (a array[V]) IndexType() any { return new(V) }

// collect makes the array of a column of one of the driver's own types.
func collect[R, V any](of func(*R) V) func([]*R) any {
	return func(rows []*R) any {
		out := make(array[V], len(rows))
		for i, r := range rows {
			out[i] = of(r)
		}
		return out
	}
}

// plain is a column whose field the driver reads and writes as it is.
func plain[R, T any](name, typ string, of func(*R) *T) column[R] {
	return column[R]{
		name: name, typ: typ,
		target: func(r *R) any { return of(r) },
		array: func(rows []*R) any {
			out := make(pgtype.FlatArray[T], len(rows))
			for i, r := range rows {
				out[i] = *of(r)
			}
			return out
		},
	}
}

// text is a column of a text, or of a type that is one.
func text[R any, T ~string](name string, of func(*R) *T) column[R] {
	return column[R]{
		name: name, typ: "text",
		target: func(r *R) any { return textTarget[T]{of(r)} },
		array:  collect(func(r *R) pgtype.Text { return pgtype.Text{String: string(*of(r)), Valid: true} }),
	}
}

// optionalText is a text that may be null.
func optionalText[R any, T ~string](name string, of func(*R) **T) column[R] {
	return column[R]{
		name: name, typ: "text",
		target: func(r *R) any { return optionalTextTarget[T]{of(r)} },
		array: collect(func(r *R) pgtype.Text {
			if v := *of(r); v != nil {
				return pgtype.Text{String: string(*v), Valid: true}
			}
			return pgtype.Text{}
		}),
	}
}

// id is a column of an id.
func id[R, K any](name string, of func(*R) *domain.ID[K]) column[R] {
	return column[R]{
		name: name, typ: "uuid",
		target: func(r *R) any { return (*[16]byte)(of(r)) },
		array:  collect(func(r *R) pgtype.UUID { return pgtype.UUID{Bytes: *of(r), Valid: true} }),
	}
}

// optionalID is an id that may be null.
func optionalID[R, K any](name string, of func(*R) **domain.ID[K]) column[R] {
	return column[R]{
		name: name, typ: "uuid",
		target: func(r *R) any { return toOptionalID(of(r)) },
		array: collect(func(r *R) pgtype.UUID {
			if v := *of(r); v != nil {
				return pgtype.UUID{Bytes: *v, Valid: true}
			}
			return pgtype.UUID{}
		}),
	}
}

// idOrNone is a column of an id that is null where the field is zero.
func idOrNone[R, K any](name string, of func(*R) *domain.ID[K]) column[R] {
	return column[R]{
		name: name, typ: "uuid",
		target: func(r *R) any { return toIDOrNone(of(r)) },
		array: collect(func(r *R) pgtype.UUID {
			v := *of(r)
			return pgtype.UUID{Bytes: v, Valid: !v.IsZero()}
		}),
	}
}

// instant is a column of a time, which is UTC in the row.
func instant[R any](name string, of func(*R) *time.Time) column[R] {
	return column[R]{
		name: name, typ: "timestamptz",
		target: func(r *R) any { return instantTarget{of(r)} },
		array:  collect(func(r *R) pgtype.Timestamptz { return pgtype.Timestamptz{Time: *of(r), Valid: true} }),
	}
}

// document is a column of JSON.
func document[R, T any](name string, of func(*R) *T) column[R] {
	return column[R]{
		name: name, typ: "jsonb",
		target: func(r *R) any { return of(r) },
		array: func(rows []*R) any {
			// Without HTML escapes, as the events' data is written. All in one buffer, of
			// which each keeps its part.
			var all bytes.Buffer
			to := json.NewEncoder(&all)
			to.SetEscapeHTML(false)
			ends := make([]int, len(rows))
			for i, r := range rows {
				if err := to.Encode(of(r)); err != nil {
					panic("projections: column " + name + " doesn't marshal: " + err.Error()) // no field's type can fail
				}
				ends[i] = all.Len()
			}
			out, from := make(pgtype.FlatArray[json.RawMessage], len(rows)), 0
			for i, end := range ends {
				out[i], from = all.Bytes()[from:end-1], end // without the line's end
			}
			return out
		},
	}
}

// errNull says that a column is null that the schema says isn't.
var errNull = errors.New("unexpected null")

type textTarget[T ~string] struct{ to *T }

// ScanText implements pgtype.TextScanner.
func (t textTarget[T]) ScanText(v pgtype.Text) error {
	if !v.Valid {
		return errNull
	}
	*t.to = T(v.String)
	return nil
}

type optionalTextTarget[T ~string] struct{ to **T }

// ScanText implements pgtype.TextScanner.
func (t optionalTextTarget[T]) ScanText(v pgtype.Text) error {
	*t.to = nil
	if v.Valid {
		s := T(v.String)
		*t.to = &s
	}
	return nil
}

type optionalIDTarget[K any] struct{ to **domain.ID[K] }

// toOptionalID infers the kind of id, which only package domain can name.
func toOptionalID[K any](to **domain.ID[K]) any { return optionalIDTarget[K]{to} }

// ScanUUID implements pgtype.UUIDScanner.
func (t optionalIDTarget[K]) ScanUUID(v pgtype.UUID) error {
	*t.to = nil
	if v.Valid {
		u := domain.ID[K](v.Bytes)
		*t.to = &u
	}
	return nil
}

type idOrNoneTarget[K any] struct{ to *domain.ID[K] }

func toIDOrNone[K any](to *domain.ID[K]) any { return idOrNoneTarget[K]{to} }

// ScanUUID implements pgtype.UUIDScanner.
func (t idOrNoneTarget[K]) ScanUUID(v pgtype.UUID) error {
	*t.to = v.Bytes // zero where it is null
	return nil
}

type instantTarget struct{ to *time.Time }

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t instantTarget) ScanTimestamptz(v pgtype.Timestamptz) error {
	if !v.Valid || v.InfinityModifier != pgtype.Finite {
		return errNull
	}
	*t.to = v.Time.UTC()
	return nil
}
