package commands

import (
	"runtime"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
)

// cacheOf is an empty cache, and a key per number.
func cacheOf(t *testing.T, entries, bytes int) (*folds, func(int) foldKey) {
	t.Helper()
	c, err := newFolds(entries, bytes, func() eventstore.ServerNumber { return 1 })
	if err != nil {
		t.Fatal(err)
	}
	return c, func(i int) foldKey {
		return streamKey{stream: domain.StreamID{Type: domain.TaskStream, ID: [16]byte{byte(i), byte(i >> 8)}}}.newest()
	}
}

// largest is the state of a task with the largest legal texts.
func largest() domain.Task {
	text := func(characters int) string { return strings.Repeat("𝄞", characters) }
	description := text(domain.MaxDescription)
	task := domain.Task{Title: text(domain.MaxName), Description: &description}
	for range domain.MaxLabels {
		task.Labels = append(task.Labels, text(domain.MaxLabel))
	}
	return task
}

// The cache keeps within its bytes, whatever the states' size, drops the least recently
// used, and its count is that of what it holds.
func TestFoldCacheIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	const bound = 20 * (foldOverhead + 1_000)
	c, key := cacheOf(t, 100, bound)
	wantLoad := func(entries, bytes int) {
		t.Helper()
		if n, size := c.load(); n != entries || size != bytes {
			t.Errorf("%d entries of %d bytes, want %d of %d", n, size, entries, bytes)
		}
	}
	of := func(bytes, version int) folded {
		return folded{state: domain.User{Name: strings.Repeat("x", bytes)}, version: version}
	}
	for i := range 30 {
		c.put(key(i), of(1_000, 1), 1)
		c.get(key(0))
	}
	wantLoad(20, bound)
	for i, kept := range map[int]bool{0: true, 1: false, 10: false, 11: true, 29: true} {
		if _, ok := c.get(key(i)); ok != kept {
			t.Errorf("entry %d is in the cache: %t, want %t", i, ok, kept)
		}
	}
	c.put(key(29), of(100, 2), 1) // a newer state takes the place of the older one
	wantLoad(20, bound-900)
	c.put(key(29), of(5_000, 1), 1) // an older one doesn't
	c.put(key(50), of(1_000, 1), 2) // nor one of another server
	wantLoad(20, bound-900)
	c.put(key(51), of(2*bound, 1), 1)
	wantLoad(0, 0) // larger than everything
	for i := range 200 {
		c.put(key(i), of(0, 1), 1)
	}
	wantLoad(bound/foldOverhead, bound/foldOverhead*foldOverhead)
	c.remove(key(199))
	wantLoad(bound/foldOverhead-1, (bound/foldOverhead-1)*foldOverhead)
	c.clear()
	wantLoad(0, 0)
}

// The estimate is no less than the heap that the cache takes, with the largest states and
// with the smallest. No t.Parallel: it measures the heap.
func TestFoldCacheEstimate(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, state := range map[string]func() sized{
		"largest": func() sized { return largest() },
		"smallest": func() sized {
			var due domain.Date
			id, text := domain.UserID{1}, strings.Clone("x")
			return domain.Task{AssigneeID: &id, DueDate: &due, Title: strings.Clone("x"), Description: &text,
				Status: domain.TaskStatus(strings.Clone(string(domain.Done))), Priority: domain.Priority(strings.Clone(string(domain.Normal)))}
		},
	} {
		before := heap()
		c, key := cacheOf(t, 20_000, foldBytes)
		for i := range 20_000 {
			c.put(key(i), folded{state: state(), version: 1}, 1)
		}
		took := heap() - before
		entries, bytes := c.load()
		if bytes > foldBytes || took > int64(bytes)+int64(bytes)/8 { // the allocator rounds up
			t.Errorf("%s: %d states of %d bytes take %d, want at most %d", name, entries, bytes, took, foldBytes)
		}
		t.Logf("%s: %d states of %d bytes take %d", name, entries, bytes, took)
	}
}
