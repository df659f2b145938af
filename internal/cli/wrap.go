package cli

import (
	"strings"
	"unicode/utf8"
)

// wrap breaks the lines of a text at a width. Lines that begin at the margin are a
// paragraph until the next empty one and flow together. An indented line stays a line
// of its own; its excess goes below its last column, which two spaces or more set off.
// A line after a tab is kept as it is.
func wrap(text string, width int) string {
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, fill(strings.Join(paragraph, " "), 0, width))
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "\t"):
			flush()
			out = append(out, "  "+line[1:])
		case strings.HasPrefix(line, " "):
			flush()
			out = append(out, fill(line, lastColumn(line), width))
		case line == "":
			flush()
			out = append(out, "")
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return strings.Join(out, "\n")
}

// lastColumn is where the last column of an indented line begins.
func lastColumn(line string) int {
	text := strings.TrimLeft(line, " ")
	at := len(line) - len(text)
	if i := strings.LastIndex(text, "  "); i >= 0 {
		at += i + 2
	}
	return at
}

// fill breaks one line between words; the lines after the first begin at indent. The
// text before indent is never broken.
func fill(line string, indent, width int) string {
	head, words := line[:indent], strings.Fields(line[indent:])
	var out strings.Builder
	out.WriteString(head)
	at := utf8.RuneCountInString(head)
	for i, w := range words {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case at+1+n > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			out.WriteString(" ")
			at++
		}
		out.WriteString(w)
		at += n
	}
	return out.String()
}
