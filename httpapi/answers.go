package httpapi

import (
	"docket/projections"
)

// made is the answer to a command that made something.
type made[T any] struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Seq      int64  `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event."`
	Body     T
}

// changed is the answer to a command that changed something.
type changed[T any] struct {
	ETag string `header:"ETag"`
	Seq  int64  `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event; of the resource's last where nothing changed."`
	Body T
}

// gone is the answer to a command that ended something.
type gone struct {
	Seq int64 `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event."`
}

// read is one resource that has a version.
type read[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// plain is an answer without a version.
type plain[T any] struct {
	Body T
}

// list is every list's body.
type list[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"The cursor of the next page; null on the last."`
}

// Paged is what every list with pages takes.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items at most."`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
}

// openCursor is the position of a list's cursor, nil where the list begins.
func openCursor[P any](s *Server, p Paged, l listing) (*P, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	var after P
	if err := s.cursors.open(l, p.Cursor, &after); err != nil {
		return nil, err
	}
	return &after, nil
}

// page is what a list of rows starts after, and how long it is.
func (s *Server) page(p Paged, l listing) (projections.Page, error) {
	after, err := openCursor[projections.Keyset](s, p, l)
	return projections.Page{Limit: p.Limit, After: after}, err
}

// answerList renders items and seals the cursor of the next page.
func answerList[T, R, P any](s *Server, l listing, items []R, next *P, render func(R) T) (*plain[list[T]], error) {
	out := &plain[list[T]]{Body: list[T]{Items: make([]T, 0, len(items))}}
	for _, item := range items {
		out.Body.Items = append(out.Body.Items, render(item))
	}
	if next != nil {
		cursor, err := s.cursors.seal(l, next)
		if err != nil {
			return nil, err
		}
		out.Body.NextCursor = &cursor
	}
	return out, nil
}
