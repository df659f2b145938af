package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// columnGap is what stands between two columns.
const columnGap = "  "

// leastCell is how far a flexible column is cut before whole columns are left out,
// and how narrow one that flows may be.
const leastCell = 12

// column is one of a table.
type column struct {
	title string
	// flexible: its cells are cut where the screen is narrow. One column may be.
	flexible bool
	// flows: it is the last, and goes on below itself where the screen is narrow.
	flows bool
	// right: it holds numbers.
	right bool
	// spare columns are left out where the screen is too narrow for all: first
	// those with the highest number. 0: it stays.
	spare int
}

// cell is a text and how it is shown.
type cell struct {
	text string
	how  style
}

// table writes rows under a heading. It takes rows in parts, so that a long table
// is never in memory, and settles its widths with the first part; what is wider
// later stands out of its column. Nothing is cut where there is no terminal.
type table struct {
	to      screen
	columns []column
	widths  []int // 0: left out; nil until the first part
}

// write adds rows, each with a cell for every column. The heading is written with
// the first part, which may be empty.
func (t *table) write(rows [][]cell) error {
	var out strings.Builder
	if t.widths == nil {
		t.settle(rows)
		heading := make([]cell, len(t.columns))
		for i, c := range t.columns {
			heading[i] = cell{c.title, bold}
		}
		t.line(&out, heading)
	}
	for _, row := range rows {
		t.line(&out, row)
	}
	_, err := io.WriteString(t.to, out.String())
	return err
}

// settle gives each column the width of its widest cell, then takes from the
// flexible one and from the spare ones until the screen is wide enough.
func (t *table) settle(rows [][]cell) {
	t.widths = make([]int, len(t.columns))
	for i, c := range t.columns {
		t.widths[i] = runewidth.StringWidth(c.title)
		for _, row := range rows {
			t.widths[i] = max(t.widths[i], runewidth.StringWidth(printable(row[i].text)))
		}
	}
	for t.to.width > 0 {
		over := t.total() - t.to.width
		if over <= 0 {
			return
		}
		last := -1 // the spare column that goes next
		for i, c := range t.columns {
			if c.flexible && t.widths[i]-over >= leastCell {
				t.widths[i] -= over
				return
			}
			if c.spare > 0 && t.widths[i] > 0 && (last < 0 || c.spare > t.columns[last].spare) {
				last = i
			}
		}
		if last < 0 {
			return
		}
		t.widths[last] = 0
	}
}

// total is the width of a line.
func (t *table) total() int {
	total := 0
	for _, w := range t.widths {
		if w > 0 {
			total += w + len(columnGap)
		}
	}
	return total - len(columnGap)
}

// flow breaks the text of the last column so that it stays in it.
func (t *table) flow(text string) string {
	last := len(t.columns) - 1
	indent := t.total() - t.widths[last]
	if t.to.width-indent < leastCell {
		return text
	}
	return strings.TrimLeft(fill(strings.Repeat(" ", indent)+text, indent, t.to.width), " ")
}

func (t *table) line(out *strings.Builder, row []cell) {
	var line strings.Builder
	pending := 0 // spaces that are written only before something else
	for i, c := range t.columns {
		width := t.widths[i]
		if width == 0 {
			continue
		}
		text := printable(row[i].text)
		if c.flexible && t.to.width > 0 {
			text = runewidth.Truncate(text, width, "…")
		}
		if c.flows {
			text = t.flow(text)
		}
		rest := max(width-runewidth.StringWidth(text), 0)
		if c.right {
			pending += rest
			rest = 0
		}
		if text != "" {
			fmt.Fprintf(&line, "%*s%s", pending, "", t.to.paint(row[i].how, text))
			pending = 0
		} else {
			rest = width
		}
		pending += rest + len(columnGap)
	}
	out.WriteString(line.String() + "\n")
}
