package edge

// List is the body of every list.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// Paged is the input of every list with pages.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items at most; a page of large items has fewer."`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
}

// OpenCursor returns the position of a list's cursor; nil without a cursor.
func OpenCursor[P any](c *Cursors, p Paged, l Listing) (*P, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	var after P
	if err := c.Open(l, p.Cursor, &after); err != nil {
		return nil, err
	}
	return &after, nil
}

// NewList renders items and seals the cursor of the next page.
func NewList[T, R, P any](c *Cursors, l Listing, items []R, next *P, render func(R) T) (List[T], error) {
	out := List[T]{Items: make([]T, 0, len(items))}
	for _, item := range items {
		out.Items = append(out.Items, render(item))
	}
	if next == nil {
		return out, nil
	}
	cursor, err := c.Seal(l, next)
	out.NextCursor = &cursor
	return out, err
}
