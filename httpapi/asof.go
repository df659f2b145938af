package httpapi

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// AsOfInput is the input of every read of projects, tasks, comments, members, settings, counts
// and reports.
type AsOfInput struct {
	edge.Positioned
	AsOf string `query:"as_of" doc:"A time (RFC 3339) or a seq: the state at that position, including what was deleted since. Not in the future and not with min_seq. For a time within the last second the answer may still change; the seq in Docket-As-Of never does. Send it unchanged with a cursor. If an as-of read takes longer than 5 s, as a list of a very long log may, the answer is 503 overloaded."`
}

var seqForm = regexp.MustCompile(`^[0-9]+$`)

// parseAsOf parses the value of as_of.
func parseAsOf(text string) (m projections.Moment, err error) {
	hint := ""
	if strings.Contains(text, " ") {
		hint = edge.PlusHint
	}
	malformed := domain.Refuse(domain.CodeMalformed, "as_of must be a time as in RFC 3339 or a seq%s", hint)
	switch {
	case seqForm.MatchString(text):
		if m.Seq, err = strconv.ParseInt(text, 10, 64); err != nil {
			m.Seq = math.MaxInt64 // which no log reaches
		}
	case !edge.IsDateTime(text):
		return m, malformed
	default:
		if m.Time, err = time.Parse(time.RFC3339, text); err != nil {
			return m, malformed
		}
		if m.Time.Before(earliest) {
			m.Time = earliest
		}
	}
	return m, nil
}

// earliest is before every event and within the range of Postgres.
var earliest = time.Unix(0, 0)

// asOfPosition is where a page of an as-of list ended. It contains the seq, so that all
// pages of a list have the same one: an append that was in flight at the time of the
// first page could move the seq that a time stands for.
type asOfPosition struct {
	AsOf  int64              `json:"as_of"`
	After projections.Keyset `json:"after"`
}

// asOfPage returns the page of a list and the seq that it is as of; nil for now.
func (s *Server) asOfPage(ctx context.Context, scope domain.Scope, p edge.Paged, d AsOfInput, l edge.Listing) (page projections.Page, at *int64, err error) {
	if d.AsOf == "" {
		page, err = s.page(p, l)
		return page, nil, err
	}
	place, err := edge.OpenCursor[asOfPosition](s.cursors, p, l)
	if err != nil {
		return page, nil, err
	}
	page.Limit = p.Limit
	if place == nil || d.MinSeq > 0 { // asOf refuses it
		at, err = s.asOf(ctx, scope, d)
		return page, at, err
	}
	page.After = &place.After
	return page, &place.AsOf, nil
}

// asOf returns the seq of a read's as_of; nil without one.
func (s *Server) asOf(ctx context.Context, scope domain.Scope, d AsOfInput) (*int64, error) {
	if d.AsOf == "" {
		return nil, nil
	}
	if d.MinSeq > 0 {
		return nil, domain.Refuse(domain.CodeUnsupportedCombination, "as_of can't be combined with min_seq")
	}
	m, err := parseAsOf(d.AsOf)
	if err != nil {
		return nil, err
	}
	seq, err := s.queries.SeqOf(ctx, scope, m)
	if err != nil {
		return nil, err
	}
	return &seq, nil
}

// asOfTime returns the time of a read's as_of, which is as of a seq: the time that it names,
// or that of the seq's event.
func (s *Server) asOfTime(ctx context.Context, scope domain.Scope, d AsOfInput, at int64) (time.Time, error) {
	m, err := parseAsOf(d.AsOf)
	if err != nil || !m.Time.IsZero() {
		return m.Time, err
	}
	return s.queries.TimeOf(ctx, scope, at)
}

// asOfItem is one resource that has a version, now or as of a seq.
type asOfItem[T any] struct {
	ETag string `header:"ETag"`
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer includes."`
	Body T
}

// asOfPlain is a response without a version, now or as of a seq.
type asOfPlain[T any] struct {
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer includes."`
	Body T
}

// asOfList is a list, now or as of a seq.
type asOfList[T any] struct {
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer includes."`
	Body edge.List[T]
}

// asOfHeader returns the value of Docket-As-Of; empty for no header.
func asOfHeader(at *int64) string {
	if at == nil {
		return ""
	}
	return strconv.FormatInt(*at, 10)
}

// asOfListResponse is listResponse for a list that may be as of a seq.
func asOfListResponse[T, R any](s *Server, l edge.Listing, at *int64, items []R, next *projections.Keyset, render func(R) T) (*asOfList[T], error) {
	var (
		page *plain[edge.List[T]]
		err  error
	)
	if at != nil && next != nil {
		page, err = listResponse(s, l, items, &asOfPosition{AsOf: *at, After: *next}, render)
	} else {
		page, err = listResponse(s, l, items, next, render)
	}
	if err != nil {
		return nil, err
	}
	return &asOfList[T]{AsOf: asOfHeader(at), Body: page.Body}, nil
}
