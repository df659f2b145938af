package httpapi

import (
	"docket/httpapi/edge"
	"docket/projections"
)

// created is the response to a command that created a resource.
type created[T any] struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Seq      int64  `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event; where nothing changed, of the resource's last."`
	Body     T
}

// updated is the response to a command that updated a resource.
type updated[T any] struct {
	ETag string `header:"ETag"`
	Seq  int64  `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event; where nothing changed, of the resource's last."`
	Body T
}

// deleted is the response to a command that deleted a resource.
type deleted struct {
	Seq int64 `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event; where nothing changed, of the resource's last."`
}

// plain is a response without a version.
type plain[T any] struct {
	Body T
}

// page returns the page of a list that is sorted by a keyset.
func (s *Server) page(p edge.Paged, l edge.Listing) (projections.Page, error) {
	after, err := edge.OpenCursor[projections.Keyset](s.cursors, p, l)
	return projections.Page{Limit: p.Limit, After: after}, err
}

// listResponse renders items and seals the cursor of the next page.
func listResponse[T, R, P any](s *Server, l edge.Listing, items []R, next *P, render func(R) T) (*plain[edge.List[T]], error) {
	body, err := edge.NewList(s.cursors, l, items, next, render)
	if err != nil {
		return nil, err
	}
	return &plain[edge.List[T]]{body}, nil
}
