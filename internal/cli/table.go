package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

const (
	// columnGap separates two columns.
	columnGap = "  "
	// minCell is the least width of a column that is cut or wrapped, in columns of the
	// terminal.
	minCell = 12
)

// Column describes one column of a table.
type Column struct {
	Title string
	// Cut columns lose the end of their cells where the screen is narrow. One may be.
	Cut bool
	// Wrap is for the last column: its cells continue below themselves.
	Wrap bool
	// Right aligns a column of numbers.
	Right bool
	// Drop orders the columns that are left out where the screen is too narrow for
	// all, the highest number first. A column with 0 always stays.
	Drop int
}

// Cell is a text and its style.
type Cell struct {
	Text  string
	Style Style
}

// Row is a row of plain cells.
func Row(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i].Text = text
	}
	return row
}

// Table writes rows under a heading. It takes rows in parts, so that a long table is
// never in memory, and the first part decides the widths: a wider cell of a later one
// sticks out of its column. Without a terminal nothing is cut.
type Table struct {
	Screen  Screen
	Columns []Column
	widths  []int // 0: left out; nil until the first part
}

// Write adds rows, each with a cell for every column. The first call writes the
// heading too, also where it has no rows.
func (t *Table) Write(rows [][]Cell) error {
	var out strings.Builder
	if t.widths == nil {
		t.fit(rows)
		heading := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			heading[i] = Cell{c.Title, Bold}
		}
		t.writeRow(&out, heading)
	}
	for _, row := range rows {
		t.writeRow(&out, row)
	}
	_, err := io.WriteString(t.Screen, out.String())
	return err
}

// fit gives each column the width of its widest cell, then cuts and drops columns
// until the table fits the screen.
func (t *Table) fit(rows [][]Cell) {
	t.widths = make([]int, len(t.Columns))
	for i, c := range t.Columns {
		t.widths[i] = runewidth.StringWidth(c.Title)
		for _, row := range rows {
			t.widths[i] = max(t.widths[i], runewidth.StringWidth(Printable(row[i].Text)))
		}
	}
	for t.Screen.Width > 0 {
		excess := t.total() - t.Screen.Width
		if excess <= 0 {
			return
		}
		next := -1 // the column to drop
		for i, c := range t.Columns {
			if c.Cut && t.widths[i]-excess >= minCell {
				t.widths[i] -= excess
				return
			}
			if c.Drop > 0 && t.widths[i] > 0 && (next < 0 || c.Drop > t.Columns[next].Drop) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		t.widths[next] = 0
	}
}

// total is the width of a line.
func (t *Table) total() int {
	total := 0
	for _, w := range t.widths {
		if w > 0 {
			total += w + len(columnGap)
		}
	}
	return total - len(columnGap)
}

// wrapLast breaks the text of the last column so that it stays in it.
func (t *Table) wrapLast(text string) string {
	indent := t.total() - t.widths[len(t.Columns)-1]
	if t.Screen.Width-indent < minCell {
		return text
	}
	return strings.TrimLeft(fill(strings.Repeat(" ", indent)+text, indent, t.Screen.Width), " ")
}

func (t *Table) writeRow(out *strings.Builder, row []Cell) {
	pending := 0 // spaces that are written only before further text
	for i, c := range t.Columns {
		width := t.widths[i]
		if width == 0 {
			continue
		}
		text := Printable(row[i].Text)
		if c.Cut && t.Screen.Width > 0 {
			text = Truncate(text, width)
		}
		if c.Wrap {
			text = t.wrapLast(text)
		}
		padding := max(width-runewidth.StringWidth(text), 0)
		if c.Right {
			pending += padding
			padding = 0
		}
		if text == "" {
			padding = width
		} else {
			fmt.Fprintf(out, "%*s%s", pending, "", t.Screen.Paint(row[i].Style, text))
			pending = 0
		}
		pending += padding + len(columnGap)
	}
	out.WriteString("\n")
}
