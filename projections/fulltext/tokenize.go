package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxWord is how many characters of a word are significant.
	maxWord = 64
	// maxParts is how many parts a run of letters and digits is taken apart into: one of
	// more is a key or a checksum, and stays whole.
	maxParts = 8
	// maxJoined is how many runs a compound has at most to be found without what joins
	// them.
	maxJoined = 4
)

// word is a word of a text, or several as one. Places count the words of the text from 0.
type word struct {
	text string
	// from and to are the places of the first and the last word that it stands for.
	from, to int
	// only says that documents have it, but no query asks for it.
	only bool
}

// words are the words of a text, in order, in the form of folder.word. A word is a run of
// letters, digits and their marks. A run is taken apart where its case or its kind
// changes (apiKey, AUTH12), and is followed by itself as a whole; so are up to maxJoined
// runs with one of .-_' between them (node.js, e-mail, don't), unless digits are joined
// (1.2.3). Scripts without spaces between words, and emoji, have a word for each
// character: a search for several is one for a phrase. A + that begins a word is the sign
// of one that ends in ++ or #, as C++ does, so that it isn't the beginning of C.
func words(text string) []word {
	t := tokenizer{text: normalize(text)}
	if t.text == "" {
		return nil
	}
	t.list = make([]word, 0, 1+len(t.text)/4)
	if isASCII(t.text) {
		t.lower = strings.ToLower(t.text)
	} else {
		t.folder = newFolder()
	}
	for t.at < len(t.text) {
		r, size := utf8.DecodeRuneInString(t.text[t.at:])
		switch kindOf(r) {
		case letter, digits:
			t.compound()
		case single:
			end := t.skip(t.at+size, isFollower)
			t.add(t.fold(t.at, end))
			t.at = end
		default:
			t.at += size
		}
	}
	return t.list
}

// tokenizer goes through a text.
type tokenizer struct {
	text string
	// lower is the text in lower case if it is ASCII; else folder makes the words.
	lower  string
	folder folder
	at     int
	place  int
	list   []word
}

func (t *tokenizer) fold(from, to int) string {
	var w string
	if t.lower != "" {
		w = t.lower[from:to]
	} else {
		w = t.folder.word(t.text[from:to])
	}
	return short(w)
}

// short is the significant beginning of a word.
func short(w string) string {
	if len(w) <= maxWord {
		return w
	}
	n := 0
	for i := range w {
		if n++; n > maxWord {
			return w[:i]
		}
	}
	return w
}

// add adds one word at the next place.
func (t *tokenizer) add(text string) {
	t.list = append(t.list, word{text: text, from: t.place, to: t.place})
	t.place++
}

func (t *tokenizer) skip(at int, while func(rune) bool) int {
	for at < len(t.text) {
		r, size := utf8.DecodeRuneInString(t.text[at:])
		if !while(r) {
			break
		}
		at += size
	}
	return at
}

// compound reads runs and what joins them.
func (t *tokenizer) compound() {
	var (
		place    = t.place
		joined   string
		runs     int
		joinable = true
	)
	for {
		from := t.at
		t.at = t.skip(t.at, isRun)
		whole := t.run(from, t.at)
		if runs++; runs == 1 {
			joined = whole
		} else if runs <= maxJoined {
			joined += whole
		}
		if t.suffix(from) {
			joinable = false
			break
		}
		next, ok := t.joint()
		if !ok {
			break
		}
		if before, _ := utf8.DecodeLastRuneInString(t.text[:t.at]); unicode.IsNumber(before) {
			if after, _ := utf8.DecodeRuneInString(t.text[next:]); unicode.IsNumber(after) {
				joinable = false
			}
		}
		t.at = next
	}
	if joinable && 1 < runs && runs <= maxJoined {
		t.list = append(t.list, word{text: short(joined), from: place, to: t.place - 1})
	}
}

// joint is where the next run begins, if one character joins it to this one.
func (t *tokenizer) joint() (next int, ok bool) {
	r, size := utf8.DecodeRuneInString(t.text[t.at:])
	if !isJoint(r) {
		return 0, false
	}
	next = t.at + size
	if next >= len(t.text) {
		return 0, false
	}
	r, _ = utf8.DecodeRuneInString(t.text[next:])
	k := kindOf(r)
	return next, k == letter || k == digits
}

// run adds the parts of a run and the run as a whole, which it returns.
func (t *tokenizer) run(from, to int) string {
	var bounds [maxParts + 1]int
	n := t.parts(from, to, &bounds)
	place := t.place
	if n > 1 {
		for i := range n {
			t.add(t.fold(bounds[i], bounds[i+1]))
		}
	}
	whole := t.fold(from, to)
	if n == 1 {
		t.add(whole)
	} else {
		t.list = append(t.list, word{text: whole, from: place, to: t.place - 1})
	}
	return whole
}

// parts finds where the parts of a run begin, and returns how many there are: 1 where
// they are too many.
func (t *tokenizer) parts(from, to int, bounds *[maxParts + 1]int) int {
	var (
		n            = 1
		last, before rune // the last two characters that are no marks
		lastAt, upTo = from, to
		cut          = func(at int) bool {
			if at == bounds[n-1] {
				return true
			}
			if n == maxParts {
				return false
			}
			bounds[n] = at
			n++
			return true
		}
	)
	bounds[0] = from
	for at := from; at < to; {
		r, size := utf8.DecodeRuneInString(t.text[at:])
		if r >= utf8.RuneSelf && (unicode.IsMark(r) || ignorable(r)) {
			at += size
			continue
		}
		fits := true
		switch {
		case last == 0:
		case unicode.IsNumber(r) != unicode.IsNumber(last), unicode.IsUpper(r) && unicode.IsLower(last):
			fits = cut(at)
		case unicode.IsLower(r) && unicode.IsUpper(last) && unicode.IsUpper(before):
			// The last capital begins the next word, as in HTTPServer, unless it is the
			// plural of an abbreviation, as in PDFs.
			if next, _ := utf8.DecodeRuneInString(t.text[min(at+size, to):to]); unicode.IsLower(next) {
				fits = cut(lastAt)
			}
		}
		if !fits {
			bounds[1] = upTo
			return 1
		}
		before, last, lastAt = last, r, at
		at += size
	}
	bounds[n] = upTo
	return n
}

// suffix reads the ++ or # after a run that is one part of ASCII letters, and reports
// whether there is one. With a # the run is one letter.
func (t *tokenizer) suffix(from int) bool {
	rest := t.text[t.at:]
	sign := ""
	switch {
	case strings.HasPrefix(rest, "++") && !strings.HasPrefix(rest, "+++"):
		sign = "++"
	case t.at-from > 1:
		return false
	case strings.HasPrefix(rest, "#"), strings.HasPrefix(rest, "♯"):
		sign = "#"
		_, size := utf8.DecodeRuneInString(rest)
		if r, _ := utf8.DecodeRuneInString(rest[size:]); rest[size:] != "" && (unicode.IsLetter(r) || r == '#') {
			return false
		}
	default:
		return false
	}
	for i := from; i < t.at; i++ {
		if c := t.text[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	last := &t.list[len(t.list)-1]
	if last.from != last.to {
		return false
	}
	plain := *last
	last.text = "+" + plain.text + sign
	if t.at-from > 1 {
		plain.only = true
		t.list = append(t.list, plain)
	}
	t.at += len(sign)
	if strings.HasPrefix(rest, "♯") {
		t.at += len("♯") - len(sign)
	}
	return true
}

// kind is what a character is to a word.
type kind int

const (
	other  kind = iota
	letter      // of a run
	digits
	single // a word of its own
)

func kindOf(r rune) kind {
	switch {
	case r < utf8.RuneSelf:
		switch {
		case 'a' <= r|0x20 && r|0x20 <= 'z':
			return letter
		case '0' <= r && r <= '9':
			return digits
		}
		return other
	case isJoint(r) || ignorable(r):
		return other
	case unicode.IsDigit(r):
		return digits
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return single
		}
		return other
	case r == 'ー' || isEmoji(r):
		return single
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return digits
	}
	return other
}

// isRun reports the characters of a run that has begun.
func isRun(r rune) bool {
	switch kindOf(r) {
	case letter, digits:
		return true
	case single:
		return false
	}
	return isFollower(r)
}

// isFollower reports what belongs to the character before it.
func isFollower(r rune) bool { return r >= utf8.RuneSelf && (unicode.IsMark(r) || ignorable(r)) }

// isEmoji reports symbols that are looked for like words: not those of Latin-1 (©, °),
// which belong to texts as punctuation does, and not lines and blocks, which draw tables.
func isEmoji(r rune) bool {
	return r > unicode.MaxLatin1 && unicode.Is(unicode.So, r) && !(0x2500 <= r && r <= 0x259f) && r != utf8.RuneError && r != '\ufffc'
}

// isJoint reports what joins the runs of a compound: points, hyphens, underscores and
// apostrophes, as keyboards and programs write them.
func isJoint(r rune) bool {
	switch r {
	case '.', '_', '-', '\'', '`', '·', '‐', '‑', '−', '’', '‘', '‛', '′', 'ʼ', 'ʻ', '׳':
		return true
	}
	return false
}
