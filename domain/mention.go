package domain

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMentions is how many members one comment can mention. Further mentions are
// ordinary text.
const MaxMentions = 20

// Mentions are the e-mail addresses that a text mentions, folded, in their order,
// without duplicates, MaxMentions at most. They need not be members' addresses.
//
// A mention is "@" and an address. What comes before and after may be white space or
// punctuation of any script, a symbol, or a letter of a script that is written without
// spaces between words (unspaced). An address takes all that can belong to it: the
// mention of a longer domain is none of a shorter one. Code, quoted lines and URLs
// mention nothing.
func Mentions(text string) []string {
	text = blankUnsaid(text)
	var out []string
	free := 0 // where a mention may begin whatever is before it: the last one's end
	for at := 0; at < len(text) && len(out) < MaxMentions; {
		r, size := utf8.DecodeRuneInString(text[at:])
		at += size
		if !isAt(r) {
			continue
		}
		address, length := leadingAddress(text[at:])
		if length == 0 || at-size != free && !mayPrecede(text[:at-size]) {
			continue
		}
		at += length
		free = at
		if address = FoldEmail(address); !slices.Contains(out, address) {
			out = append(out, address)
		}
	}
	return out
}

// url is a URL up to where a mention may follow it: a path may contain "@".
var url = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~:/?#@&=+%$-]*`)

// blankUnsaid replaces what mentions nothing by spaces.
func blankUnsaid(text string) string {
	if !strings.ContainsFunc(text, isAt) {
		return ""
	}
	b := []byte(text)
	for _, s := range codeAndQuotes(b) {
		blank(b[s.start:s.stop])
	}
	for _, s := range url.FindAllIndex(b, -1) {
		blank(b[s[0]:s[1]])
	}
	return string(b)
}

// blank keeps line breaks.
func blank(b []byte) {
	for i, c := range b {
		if c != '\n' {
			b[i] = ' '
		}
	}
}

// isAt reports "@" and its form of East Asian keyboards.
func isAt(r rune) bool { return r == '@' || r == '＠' }

// unspaced are scripts that are written without spaces between words, and Korean, whose
// particles follow a name directly.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul, unicode.Yi,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan,
}

// isUnspaced adds the long-vowel marks of Japanese, which belong to no script.
func isUnspaced(r rune) bool { return unicode.In(r, unspaced...) || r == 'ー' || r == 'ｰ' }

// mayPrecede reports whether a mention may follow a text: not where the text ends with a
// letter or digit, which make "@" the middle of an address. Repeated "@" count as one.
func mayPrecede(text string) bool {
	text = strings.TrimRightFunc(text, isAt)
	for text != "" {
		r, size := utf8.DecodeLastRuneInString(text)
		switch {
		case r == '\ufe0f' || r == '\u20e3': // what makes a character an emoji
			return true
		case unicode.IsMark(r): // belongs to the letter before it
			text = text[:len(text)-size]
			continue
		case isUnspaced(r):
			return true
		}
		return !unicode.IsLetter(r) && !unicode.In(r, unicode.Nd, unicode.Nl)
	}
	return true
}

// leadingAddress is the address at the beginning of a text, and how many bytes of the
// text it takes; 0 if there is none.
func leadingAddress(text string) (address string, length int) {
	local := prefix(text, inLocal)
	at, size := utf8.DecodeRuneInString(text[len(local):])
	if local == "" || !isAt(at) || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", 0
	}
	begin := len(local) + size
	domain := leadingDomain(text[begin:])
	if domain == "" {
		return "", 0
	}
	length = begin + len(domain)
	// "@a@b@example.org" is no mention of a@b.
	if next, _ := utf8.DecodeRuneInString(text[length:]); isAt(next) && !strings.Contains(domain, ".") {
		return "", 0
	}
	// Word processors write the apostrophe of a name as a quotation mark.
	return strings.ReplaceAll(local, "’", "'") + "@" + domain, length
}

// literal is an address in place of a domain (RFC 5321, 4.1.3).
var literal = regexp.MustCompile(`^\[[0-9A-Za-z:.]+\]`)

// leadingDomain is the domain at the beginning of a text, without the punctuation that
// follows it. The last label ends before a dash of two hyphens, and where it goes on in an
// unspaced script: no top-level domain is so, but for "xn--".
func leadingDomain(text string) string {
	if l := literal.FindString(text); l != "" {
		return l
	}
	domain := prefix(text, inDomain)
	if i := strings.Index(domain, ".."); i >= 0 {
		domain = domain[:i]
	}
	domain = strings.TrimRight(domain, ".-_")
	last := strings.LastIndexByte(domain, '.') + 1
	first, _ := utf8.DecodeRuneInString(domain[last:])
	if !isUnspaced(first) {
		if i := strings.IndexFunc(domain[last:], isUnspaced); i >= 0 {
			domain = domain[:last+i]
		}
	}
	if i := strings.Index(domain[last:], "--"); i >= 0 && !strings.EqualFold(domain[last:last+i], "xn") {
		domain = domain[:last+i]
	}
	domain = strings.TrimRight(domain, "-_")
	if domain == "" || strings.ContainsAny(domain[:1], ".-_") {
		return ""
	}
	return domain
}

// prefix is the longest beginning of a text that has only such characters.
func prefix(text string, in func(rune) bool) string {
	if i := strings.IndexFunc(text, func(r rune) bool { return !in(r) }); i >= 0 {
		return text[:i]
	}
	return text
}

// inLocal reports what the part before the "@" of an address may have: RFC 5322's atext
// and dots, and beyond ASCII (RFC 6531) what isn't punctuation.
func inLocal(r rune) bool {
	return strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.’", r) || r > 0x7f && unicode.IsSymbol(r) || inWord(r)
}

func inDomain(r rune) bool { return r == '.' || r == '-' || r == '_' || inWord(r) }

func inWord(r rune) bool {
	return !isAt(r) && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r))
}
