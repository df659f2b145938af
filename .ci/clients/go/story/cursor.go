//go:build !nullable

package main

import "story/api"

// nextCursor is the cursor of the next page; nil on the last.
func nextCursor(page *api.TaskPage) *string { return page.NextCursor }
