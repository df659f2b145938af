package eventstore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Columns are the columns of an event in the order in which Scan reads them.
const Columns = FoldColumns + `, meta`

// FoldColumns are Columns without the event's Meta, for folds that don't use it:
// Meta is a third of the bytes. Scan reads these too.
const FoldColumns = `tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, actor_id, command_id, data`

// stored is a row of events. The driver's next row overwrites data and meta.
type stored struct {
	domain.Recorded
	eventType string
	schema    int16
	data      json.RawMessage
	meta      json.RawMessage // nil where it wasn't selected
}

// Scan reads one event of a query that selects Columns or FoldColumns, and upcasts old
// schema versions. It returns domain.ErrUnknownEvent for an event that a newer version
// of Docket wrote.
func Scan(row pgx.CollectableRow) (domain.Recorded, error) {
	s, ok := scanBinary(row)
	if !ok {
		var err error
		if s, err = scanAny(row); err != nil {
			return s.Recorded, err
		}
	}
	return s.decode()
}

func (s *stored) decode() (domain.Recorded, error) {
	var err error
	if s.Event, err = domain.Decode(s.eventType, int(s.schema), s.data); err != nil {
		return s.Recorded, fmt.Errorf("event %d of tenant %s: %w", s.Seq, s.Tenant, err)
	}
	if s.meta == nil {
		return s.Recorded, nil
	}
	if s.Meta, err = domain.DecodeMeta(s.meta); err != nil {
		return s.Recorded, fmt.Errorf("meta of event %d of tenant %s: %w", s.Seq, s.Tenant, err)
	}
	return s.Recorded, nil
}

// scanAny reads a row with the driver, in any format.
func scanAny(row pgx.CollectableRow) (stored, error) {
	var (
		s                   stored
		tenant, stream, cmd uuid.UUID
		actor               *uuid.UUID
		streamType          string
		at                  time.Time
	)
	targets := []any{&tenant, &s.Seq, &streamType, &stream, &s.Version, &s.eventType, &s.schema, &at, &actor, &cmd, &s.data}
	if len(row.FieldDescriptions()) > len(targets) {
		targets = append(targets, &s.meta)
	}
	if err := row.Scan(targets...); err != nil {
		return s, err
	}
	s.Tenant, s.Stream = domain.TenantID(tenant), domain.StreamID{Type: domain.StreamType(streamType), ID: stream}
	s.At, s.Command = at.UTC(), domain.CommandID(cmd)
	if actor != nil {
		s.Actor = domain.UserID(*actor)
	}
	return s, nil
}

// scanned are the types and formats of Columns that scanBinary reads: those in
// which a server sends them to a prepared statement. JSON is text in both formats.
var scanned = [...]struct {
	oid    uint32
	format int16
}{
	{pgtype.UUIDOID, pgx.BinaryFormatCode}, {pgtype.Int8OID, pgx.BinaryFormatCode},
	{pgtype.TextOID, pgx.TextFormatCode}, {pgtype.UUIDOID, pgx.BinaryFormatCode},
	{pgtype.Int4OID, pgx.BinaryFormatCode}, {pgtype.TextOID, pgx.TextFormatCode},
	{pgtype.Int2OID, pgx.BinaryFormatCode}, {pgtype.TimestamptzOID, pgx.BinaryFormatCode},
	{pgtype.UUIDOID, pgx.BinaryFormatCode}, {pgtype.UUIDOID, pgx.BinaryFormatCode},
	{pgtype.JSONOID, pgx.TextFormatCode}, {pgtype.JSONOID, pgx.TextFormatCode},
}

// scanBinary reads a row without the driver's reflection, which takes longer than
// the rest of the scan. It isn't ok where a column differs from Columns in binary
// format: then scanAny reads the row or returns the error.
func scanBinary(row pgx.CollectableRow) (s stored, ok bool) {
	fields, v := row.FieldDescriptions(), row.RawValues()
	if len(v) != len(fields) || len(v) > len(scanned) || len(v) < len(scanned)-1 {
		return s, false
	}
	for i, want := range scanned[:len(v)] {
		// Text is the same in both formats.
		if fields[i].DataTypeOID != want.oid || fields[i].Format != want.format && want.format != pgx.TextFormatCode {
			return s, false
		}
	}
	if len(v[0]) != 16 || len(v[1]) != 8 || len(v[3]) != 16 || len(v[4]) != 4 || len(v[6]) != 2 || len(v[7]) != 8 ||
		v[8] != nil && len(v[8]) != 16 || len(v[9]) != 16 || v[2] == nil || v[5] == nil || v[10] == nil {
		return s, false
	}
	if s.At, ok = instant(v[7]); !ok {
		return s, false
	}
	s.Tenant, s.Stream.ID, s.Command = domain.TenantID(v[0]), uuid.UUID(v[3]), domain.CommandID(v[9])
	if v[8] != nil {
		s.Actor = domain.UserID(v[8])
	}
	s.Seq = int64(binary.BigEndian.Uint64(v[1]))
	s.Version, s.schema = int(int32(binary.BigEndian.Uint32(v[4]))), int16(binary.BigEndian.Uint16(v[6]))
	s.Stream.Type, s.eventType = domain.StreamType(known(v[2])), known(v[5])
	s.data = v[10]
	if len(v) > 11 {
		s.meta = v[11]
	}
	return s, len(v) == 11 || s.meta != nil
}

// instant decodes a binary timestamptz: microseconds since 2000. It isn't ok for an
// infinite one.
func instant(v []byte) (at time.Time, ok bool) {
	const y2k = 946_684_800 // in Unix seconds
	micros := int64(binary.BigEndian.Uint64(v))
	return time.Unix(y2k+micros/1_000_000, micros%1_000_000*1_000).UTC(), micros != math.MaxInt64 && micros != math.MinInt64
}

// names are the event and stream types, so that rows share their strings.
var names = func() map[string]string {
	m := map[string]string{}
	for _, d := range domain.Definitions() {
		m[d.Type], m[string(d.Stream)] = d.Type, string(d.Stream)
	}
	return m
}()

func known(name []byte) string {
	if s, ok := names[string(name)]; ok {
		return s
	}
	return string(name)
}
