package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"docket/domain"
)

func TestMentions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                nil,
		"one@example.org":                 nil,
		"@one":                            nil,
		"@one @example.org":               nil,
		"a@one@example.org":               nil,
		"@one@example.org":                {"one@example.org"},
		"See @one@example.org.":           {"one@example.org"},
		"(@one@example.org)":              {"one@example.org"},
		"cc:@one@example.org!?":           {"one@example.org"},
		"\n@One+Tag@Example.ORG\n":        {"one+tag@example.org"},
		"@o'brien@example.org'":           {"o'brien@example.org"},
		"@ünal@exämple.org":               {"ünal@exämple.org"},
		"@b@x.org @a@x.org,@B@X.org":      {"b@x.org", "a@x.org"},
		"@a@x.org;@b@x.org:@c@x.org":      {"a@x.org", "b@x.org", "c@x.org"},
		"@a@x.org and not c@x.org @b@x.y": {"a@x.org", "b@x.y"},
	} {
		if got := domain.Mentions(text); !slices.Equal(got, folded(want)) {
			t.Errorf("mentions in %q: %q, want %q", text, got, want)
		}
	}
	var crowd strings.Builder
	for n := range domain.MaxMentions + 5 {
		fmt.Fprintf(&crowd, "@p%d@example.org @p0@example.org ", n)
	}
	got := domain.Mentions(crowd.String())
	if len(got) != domain.MaxMentions || got[domain.MaxMentions-1] != fmt.Sprintf("p%d@example.org", domain.MaxMentions-1) {
		t.Errorf("mentions in a text with too many: %q", got)
	}
}

// spellings are texts that mention ann@example.org.
var spellings = []string{
	"@ann@example.org",
	"Hello @ann@example.org",
	"@ann@example.org, look",
	"@ann@example.org: look",
	"@ann@example.org; look",
	"@ann@example.org. Look",
	"@ann@example.org...",
	"@ann@example.org…",
	"@ann@example.org!",
	"@ann@example.org?!",
	"@ann@example.org-",
	"@ann@example.org -- look",
	"@ann@example.org--look at it later",
	"@ann@example.org---",
	"@ann@example.org—look",
	"@ann@example.org–look",
	"@ann@example.org's task",
	"@ann@example.org’s task",
	"@ann@example.org´s task",
	"(@ann@example.org)",
	"[@ann@example.org]",
	"{@ann@example.org}",
	"<@ann@example.org>",
	"\"@ann@example.org\"",
	"'@ann@example.org'",
	"“@ann@example.org”",
	"„@ann@example.org“",
	"‘@ann@example.org’",
	"«@ann@example.org»",
	"« @ann@example.org »",
	"‹@ann@example.org›",
	"「@ann@example.org」",
	"『@ann@example.org』",
	"【@ann@example.org】",
	"（@ann@example.org）",
	"《@ann@example.org》",
	"*@ann@example.org*",
	"**@ann@example.org**",
	"***@ann@example.org***",
	"_@ann@example.org_",
	"__@ann@example.org__",
	"~~@ann@example.org~~",
	"==@ann@example.org==",
	"||@ann@example.org||",
	"| @ann@example.org | todo |",
	"|@ann@example.org|todo|",
	"# @ann@example.org",
	"- @ann@example.org",
	"-@ann@example.org",
	"* @ann@example.org",
	"+@ann@example.org",
	"1. @ann@example.org",
	"1) @ann@example.org",
	"- [ ] @ann@example.org",
	"- [x]@ann@example.org",
	"/@ann@example.org",
	"/cc @ann@example.org",
	"@ann@example.org/",
	"@ann@example.org/@bob@example.org",
	"@ann@example.org/bob",
	"cc:@ann@example.org",
	"cc=@ann@example.org",
	"CC @ANN@EXAMPLE.ORG",
	"@Ann@Example.Org",
	"\\@ann@example.org",
	"&@ann@example.org",
	"#@ann@example.org",
	"$@ann@example.org",
	"%@ann@example.org",
	"^@ann@example.org",
	"!@ann@example.org",
	"?@ann@example.org",
	"¿@ann@example.org?",
	"¡@ann@example.org!",
	".@ann@example.org",
	"..@ann@example.org",
	"…@ann@example.org",
	",@ann@example.org",
	";@ann@example.org",
	"->@ann@example.org",
	"→@ann@example.org",
	"•@ann@example.org",
	"·@ann@example.org",
	"§@ann@example.org",
	"@@ann@example.org",
	"<i>@ann@example.org<",
	"so > @ann@example.org",
	"[@ann@example.org](https://example.org/ann)",
	"![@ann@example.org](x.png)",
	"[x]: @ann@example.org",
	"<b>@ann@example.org</b>",
	"@ann@example.org<br>",
	"&nbsp;@ann@example.org",
	"@ann@example.org&more",
	"@ann@example.org=x",
	"@ann@example.org#x",
	"@ann@example.org*",
	"@ann@example.org\\",
	"@ann@example.org`",
	"`@ann@example.org",
	"a `b` @ann@example.org `c`",
	"`` ` `` @ann@example.org",
	"请@ann@example.org看一下",
	"请@ann@example.org。",
	"请，@ann@example.org，谢谢",
	"@ann@example.org、@bob@example.org",
	"@ann@example.orgさん、お願いします",
	"これは@ann@example.orgの仕事",
	"コピー@ann@example.orgへ",
	"ｺﾋﾟｰ@ann@example.orgへ",
	"@ann@example.orgー",
	"@ann@example.org님 봐 주세요",
	"@ann@example.org에게",
	"보세요@ann@example.org",
	"ช่วยดู@ann@example.orgหน่อย",
	"សូម@ann@example.orgមើល",
	"注音ㄅ@ann@example.orgㄅ",
	"请＠ann＠example.org看",
	"＠ann@example.org",
	"@ann@example.org。谢谢",
	"@ann@example.org।",
	"।@ann@example.org",
	"،@ann@example.org،",
	"؛@ann@example.org؟",
	"״@ann@example.org״",
	"@ann@example.org፡",
	"@ann@example.org․",
	"👋@ann@example.org",
	"👋🏽@ann@example.org👍",
	"❤️@ann@example.org",
	"1️⃣@ann@example.org",
	"👨‍👩‍👧@ann@example.org",
	"🇩🇪@ann@example.org",
	"https://example.org @ann@example.org",
	"(https://example.org)@ann@example.org",
	"https://example.org,@ann@example.org",
	"ann@example.com/@ann@example.org",
	"x@example.org @ann@example.org",
	"@scope/package @ann@example.org",
	"@scope/package@1.2.3 @ann@example.org",
	"@ann @ann@example.org",
	"@.@ann@example.org",
	"@ann.@ann@example.org",
	"@ann请@ann@example.org",
	"@ann@example.org@",

	// White space, lines and blocks.
	"\u00a0@ann@example.org\u00a0",
	"see\u00a0@ann@example.org",
	"see\u202f@ann@example.org\u202f!",
	"see\u3000@ann@example.org\u3000",
	"see\u2003@ann@example.org\u2003",
	"see\u200b@ann@example.org\u200b",
	"\ufeff@ann@example.org",
	"\u2066@ann@example.org\u2069",
	"שלום\u200f@ann@example.org\u200f",
	"see\t@ann@example.org\t",
	"see\n@ann@example.org\nnow",
	"see\r\n@ann@example.org\r\nnow",
	"see\u2028@ann@example.org\u2028",
	"see\u00ad@ann@example.org",
	"> Is it done?\n@ann@example.org yes",
	"> Is it done?\n\n@ann@example.org yes",
	"> > Is it?\n> It is\n   @ann@example.org yes",
	"- one\n\n    @ann@example.org",
	"1. one\n   - two\n\n     @ann@example.org",
	"one\n    @ann@example.org",
	"```\ncode\n```\n@ann@example.org",
	"~~~\ncode\n~~~\n@ann@example.org",
	"`a\nb` @ann@example.org",
	"    code\n\n@ann@example.org",
	"`one\n\n@ann@example.org`",
	"\\`@ann@example.org\\`",
}

// others are texts that don't mention ann@example.org: part of another address, code,
// quoted, a URL.
var others = []string{
	"ann@example.org",
	"mailto:ann@example.org",
	"<ann@example.org>",
	"@ann",
	"@example.org",
	"@@example.org",
	"@ ann@example.org",
	"@ann @example.org",
	"@ann@ example.org",
	"foo@ann@example.org",
	"Foo@ann@example.org",
	"7@ann@example.org",
	"foo@@ann@example.org",
	"é@ann@example.org",
	"привет@ann@example.org",
	"שלום@ann@example.org",
	"مرحبا@ann@example.org",
	"नमस्ते@ann@example.org",
	"Ａ@ann@example.org",
	"٣@ann@example.org",
	"@bob@ann@example.org",
	"@ann@example.org.uk",
	"@ann@example.org.uk看",
	"@ann@example.organic",
	"@ann@example.org-team",
	"@ann@example.org_team",
	"@ann@example.orgpривет",
	"@ann@example.orgé",
	"@ann@example.orgпривет",
	"@ann@example.org1",
	"@ann@example.Please look",
	"@ann@mail.example.org",
	"@ann@example",
	"@joann@example.org",
	"@ann.b@example.org",
	"@ann+tag@example.org",
	"@ann-b@example.org",
	"@ann/b@example.org",
	"@ann看@example.org",
	"@.ann@example.org",
	"@ann.@example.org",
	"@ann..b@example.org",
	"@ann@.example.org",
	"@ann@-example.org",
	"@ann@例子.example.org",
	"@ann,@example.org",
	"@\"ann\"@example.org",
	"@ann@example.org看.cn",
	"`@ann@example.org`",
	"``@ann@example.org``",
	"`` a ` @ann@example.org ``",
	"see `x @ann@example.org y` there",
	"**`@ann@example.org`**",
	"> @ann@example.org",
	">@ann@example.org",
	"   > @ann@example.org",
	">> @ann@example.org",
	"> > @ann@example.org: done",
	"- > @ann@example.org",
	"https://example.org/@ann@example.org",
	"see https://example.org/u/@ann@example.org/posts",
	"ssh://git@ann@example.org/x",
	"https://x:y@ann@example.org",
	"ｅ@ann@example.org",

	// Lines, blocks and look-alikes.
	"```\n@ann@example.org\n```",
	"```go\n// @ann@example.org\n```",
	"```@ann@example.org\ncode\n```",
	"~~~\n@ann@example.org\n~~~",
	"```\n@ann@example.org",
	"- one\n\n  ```\n  @ann@example.org\n  ```",
	"    @ann@example.org",
	"\t@ann@example.org",
	"text\n\n    @ann@example.org",
	"- one\n\n        @ann@example.org",
	"`one\n@ann@example.org`",
	"> one\n> @ann@example.org",
	"> one\n>\n> two\n>     @ann@example.org",
	"> ```\n> @ann@example.org\n> ```",
	"On Monday Bob wrote:\n> @ann@example.org, look",
	"1. one\n   > @ann@example.org",
	"@ann\n@example.org",
	"\u0430nn@ann@example.org",
	"x\u0301@ann@example.org",
	"@ann\u200b@example.org",
	"@\u0430nn@example.org",
	"@ann@ex\u0430mple.org",
}

func TestSpellingsOfMentions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"@ann@example.org@bob@example.org":             {"ann@example.org", "bob@example.org"},
		"@ann@example.org/@bob@example.org":            {"ann@example.org", "bob@example.org"},
		"@ann/@bob@example.org":                        {"bob@example.org"},
		"@ann@example.org和@bob@example.org看":           {"ann@example.org", "bob@example.org"},
		"@o’brien@example.org’s":                       {"o'brien@example.org"},
		"@ann+todo@example.org":                        {"ann+todo@example.org"},
		"@ann@bücher.example, now":                     {"ann@bücher.example"},
		"@ann@BÜCHER.example":                          {"ann@bücher.example"},
		"@ann@xn--bcher-kva.example.":                  {"ann@xn--bcher-kva.example"},
		"@ann@bücher.xn--p1ai--см.":                    {"ann@bücher.xn--p1ai--см"},
		"@ann@пример.XN--P1AI さん":                      {"ann@пример.xn--p1ai"},
		"@ann@example.org--and@bob@example.org":        {"ann@example.org"},
		"@ann@例え.テスト さん":                               {"ann@例え.テスト"},
		"@ann@例え.jpさん":                                 {"ann@例え.jp"},
		"请@用户@例子.中国，看":                                 {"用户@例子.中国"},
		"@ann@пример.рф.":                              {"ann@пример.рф"},
		"@дарья@пример.рф":                             {"дарья@пример.рф"},
		"@ann@example.org.uk":                          {"ann@example.org.uk"},
		"@ann@my_host.example_":                        {"ann@my_host.example"},
		"@root@localhost.":                             {"root@localhost"},
		"@ann@[127.0.0.1]!":                            {"ann@[127.0.0.1]"},
		"@a@b@example.org":                             nil,
		"> @ann@example.org: ok?\n@bob@example.org no": {"bob@example.org"},
		"@ann@example.org `@bob@example.org`":          {"ann@example.org"},
	} {
		if got := domain.Mentions(text); !slices.Equal(got, folded(want)) {
			t.Errorf("mentions in %+q: %q, want %q", text, got, want)
		}
	}
	for _, text := range spellings {
		if got := domain.Mentions(text); !slices.Contains(got, "ann@example.org") {
			t.Errorf("%+q mentions %q, not ann@example.org", text, got)
		}
	}
	for _, text := range others {
		if got := domain.Mentions(text); slices.Contains(got, "ann@example.org") {
			t.Errorf("%+q mentions %q, but is no mention of ann@example.org", text, got)
		}
	}
}

// Every character that is white space, punctuation or a symbol may stand on either side.
func TestMentionBesideEveryCharacter(t *testing.T) {
	t.Parallel()
	for r := rune(' '); r <= 0x1ffff; r++ {
		if !unicode.IsSpace(r) && !unicode.IsPunct(r) && !unicode.IsSymbol(r) {
			continue
		}
		text := "x" + string(r) + "@ann@example.org" + string(r) + " x"
		switch r {
		case '@', '＠': // makes it the middle of an address
			continue
		case '`': // code
			text = "x" + string(r) + "@ann@example.org x"
		}
		if got := domain.Mentions(text); !slices.Equal(got, []string{"ann@example.org"}) {
			t.Errorf("%+q mentions %q", text, got)
		}
	}
}

// FuzzMentions checks that no text makes it fail, and that what it finds is in the text.
func FuzzMentions(f *testing.F) {
	for _, text := range slices.Concat(spellings, others) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := domain.Mentions(text)
		if len(found) > domain.MaxMentions {
			t.Errorf("%d mentions", len(found))
		}
		for _, address := range found {
			if local, host, ok := strings.Cut(address, "@"); !ok || local == "" || host == "" {
				t.Errorf("%q mentions %q", text, address)
			}
			if again := domain.Mentions("@" + address + " "); !slices.Contains(again, address) {
				t.Errorf("%q mentions %q, which mentions %q", text, address, again)
			}
		}
	})
}
