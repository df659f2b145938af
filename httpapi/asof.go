package httpapi

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// Dated is what every read of projects, tasks, comments and members takes.
type AsOfInput struct {
	edge.Positioned
	AsOf string `query:"as_of" doc:"A time (RFC 3339) or a seq: what there was then, what was deleted since included. Not in the future, nor with min_seq. Of a time within the last second the answer may still grow; the seq in Docket-As-Of means the same for ever. With a cursor it is sent as it was. Where reading the past takes longer than 5 s, as a list of a very long log may, the answer is 503 overloaded."`
}

var seqForm = regexp.MustCompile(`^[0-9]+$`)

// parseAsOf reads the value of as_of.
func parseAsOf(text string) (m projections.Moment, err error) {
	malformed := domain.Refuse(domain.CodeMalformed, "as_of is neither a time as RFC 3339 has it nor a seq")
	switch {
	case seqForm.MatchString(text):
		if m.Seq, err = strconv.ParseInt(text, 10, 64); err != nil {
			m.Seq = math.MaxInt64 // which no log comes to
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

// earliest is before every event, and not so early that it would be no time at all.
var earliest = time.Unix(0, 0)

// asOfPosition is where a page of a list of the past ended. The seq stands in it, so that
// a list that was begun as of a time goes on as of the same one, though an append that was
// under way then has made the time mean a later one.
type asOfPosition struct {
	AsOf  int64              `json:"as_of"`
	After projections.Keyset `json:"after"`
}

// datedPage is what a list starts after and how long it is, and the seq that it is as of;
// nil where it is of now.
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
	if place == nil || d.MinSeq > 0 { // which is refused
		at, err = s.asOf(ctx, scope, d)
		return page, at, err
	}
	page.After = &place.After
	return page, &place.AsOf, nil
}

// asOf is the seq that a read asks to be answered as of; nil where it asks for now.
func (s *Server) asOf(ctx context.Context, scope domain.Scope, d AsOfInput) (*int64, error) {
	if d.AsOf == "" {
		return nil, nil
	}
	if d.MinSeq > 0 {
		return nil, domain.Refuse(domain.CodeUnsupportedCombination, "as_of and min_seq don't go together: the past has seen what it has seen")
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

// dated is one resource that has a version, now or as of a seq.
type asOfItem[T any] struct {
	ETag string `header:"ETag"`
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer has seen."`
	Body T
}

// asOfList is a list, now or as of a seq.
type asOfList[T any] struct {
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer has seen."`
	Body edge.List[T]
}

// asOfHeader is the value of Docket-As-Of; none is sent where it is empty.
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
