package httpapi

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"docket/domain"
	"docket/projections"
)

const (
	asOfParameter = "as_of"
	// datedHeader is sent where asOfParameter was, and only there.
	datedHeader = "Docket-As-Of"
)

// Dated is what every read of projects, tasks, comments and members takes.
type Dated struct {
	Positioned
	AsOf string `query:"as_of" doc:"A time (RFC 3339) or a seq: what there was then, what was deleted since included. Not in the future, nor with min_seq."`
}

var seqForm = regexp.MustCompile(`^[0-9]+$`)

// parseMoment reads the value of as_of.
func parseMoment(text string) (m projections.Moment, err error) {
	if seqForm.MatchString(text) {
		m.Seq, err = strconv.ParseInt(text, 10, 64)
	} else {
		err = m.Time.UnmarshalText([]byte(text))
		if err == nil && m.Time.Before(earliest) {
			m.Time = earliest
		}
	}
	if err != nil {
		return m, domain.Refuse(domain.CodeMalformed, "as_of is neither a time as RFC 3339 has it nor a seq")
	}
	return m, nil
}

// earliest is before every event, and not so early that it would be no time at all.
var earliest = time.Unix(0, 0)

// asOf is the seq that a read asks to be answered as of; nil where it asks for now.
func (s *Server) asOf(ctx context.Context, scope domain.Scope, d Dated) (*int64, error) {
	if d.AsOf == "" {
		return nil, nil
	}
	if d.MinSeq > 0 {
		return nil, domain.Refuse(domain.CodeUnsupportedCombination, "as_of and min_seq don't go together: the past has seen what it has seen")
	}
	m, err := parseMoment(d.AsOf)
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
type dated[T any] struct {
	ETag string `header:"ETag"`
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer has seen."`
	Body T
}

// datedList is a list, now or as of a seq.
type datedList[T any] struct {
	AsOf string `header:"Docket-As-Of" doc:"With as_of: the last seq that the answer has seen."`
	Body list[T]
}

// asOfHeader is the value of Docket-As-Of; none is sent where it is empty.
func asOfHeader(at *int64) string {
	if at == nil {
		return ""
	}
	return strconv.FormatInt(*at, 10)
}

// answerDated is answerList for a list whose listing may be as of a seq.
func answerDated[T, R, P any](s *Server, l listing, items []R, next *P, render func(R) T) (*datedList[T], error) {
	page, err := answerList(s, l, items, next, render)
	if err != nil {
		return nil, err
	}
	return &datedList[T]{AsOf: asOfHeader(l.AsOf), Body: page.Body}, nil
}
