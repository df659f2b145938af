package domain

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown parses of CommonMark what decides what is code and what is quoted.
var markdown = parser.NewParser(
	parser.WithBlockParsers(
		util.Prioritized(parser.NewListParser(), 300),
		util.Prioritized(parser.NewListItemParser(), 400),
		util.Prioritized(parser.NewCodeBlockParser(), 500),
		util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
		util.Prioritized(parser.NewBlockquoteParser(), 800),
		util.Prioritized(parser.NewParagraphParser(), 1000),
	),
	parser.WithInlineParsers(util.Prioritized(parser.NewCodeSpanParser(), 100)),
)

// textRange is the bytes of a text from start to before stop.
type textRange struct{ start, stop int }

// codeAndQuotes are the ranges of a Markdown text that are code (spans, fenced and
// indented blocks) or quoted. Unlike CommonMark it takes no line for quoted that has no
// ">" of its own: that is where people answer.
func codeAndQuotes(source []byte) []textRange {
	var out []textRange
	quotes := 0 // that the node is in
	// The walk fails only if the function does.
	_ = ast.Walk(markdown.Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if n.Kind() == ast.KindBlockquote {
			if entering {
				quotes++
			} else {
				quotes--
			}
		}
		if !entering {
			return ast.WalkContinue, nil
		}
		code := n.Kind() == ast.KindCodeBlock || n.Kind() == ast.KindFencedCodeBlock
		if fenced, ok := n.(*ast.FencedCodeBlock); ok && fenced.Info != nil {
			out = append(out, textRange{fenced.Info.Segment.Start, fenced.Info.Segment.Stop})
		}
		if span, ok := n.(*ast.Text); ok && n.Parent().Kind() == ast.KindCodeSpan {
			out = append(out, textRange{span.Segment.Start, span.Segment.Stop})
		}
		if n.Type() != ast.TypeBlock {
			return ast.WalkContinue, nil
		}
		for _, s := range n.Lines().Sliced(0, n.Lines().Len()) {
			line := source[bytes.LastIndexByte(source[:s.Start], '\n')+1 : s.Start]
			if code || quotes > 0 && bytes.IndexByte(line, '>') >= 0 {
				out = append(out, textRange{s.Start, s.Stop})
			}
		}
		return ast.WalkContinue, nil
	})
	return out
}
