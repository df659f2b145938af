//go:build nullable

package main

import (
	_ "github.com/oapi-codegen/nullable" // keeps it in go.mod

	"story/api"
)

// nextCursor is the cursor of the next page; nil on the last.
func nextCursor(page *api.TaskPage) *string {
	cursor, err := page.NextCursor.Get()
	if err != nil {
		return nil
	}
	return &cursor
}
