package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	columns := []Column{{Title: "SLUG"}, {Title: "NAME", Cut: true}, {Title: "N", Right: true, Drop: 1}, {Title: "ID", Drop: 2}}
	rows := [][]Cell{
		{{Text: "a"}, {Text: "東京 and more than fits"}, {Text: "1"}, {Text: "0123456789"}},
		{{Text: "bcdef"}, {Text: "x\ty\x1b[31m"}, {Text: "234"}, {Text: "9"}},
	}
	for _, tc := range []struct {
		width int
		want  string
	}{
		{0, "SLUG   NAME                       N  ID\na      東京 and more than fits    1  0123456789\nbcdef  x y [31m                 234  9\n"},
		{40, "SLUG   NAME                N  ID\na      東京 and more t…    1  0123456789\nbcdef  x y [31m          234  9\n"},
		{30, "SLUG   NAME                  N\na      東京 and more tha…    1\nbcdef  x y [31m            234\n"},
		{20, "SLUG   NAME\na      東京 and mor…\nbcdef  x y [31m\n"},
	} {
		var out bytes.Buffer
		table := &Table{Screen: Screen{Writer: &out, Width: tc.width}, Columns: columns}
		if err := table.Write(rows); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != tc.want {
			t.Errorf("%d columns:\n%s\nwant\n%s", tc.width, got, tc.want)
		}
	}
	// In parts: one heading, the same columns.
	var out bytes.Buffer
	parts := &Table{Screen: Screen{Writer: &out}, Columns: columns}
	for _, row := range rows {
		if err := parts.Write([][]Cell{row}); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(out.String(), "SLUG") != 1 || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("%q", out.String())
	}
}
