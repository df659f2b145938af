package domain

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// hosts maps a domain to its ASCII form as browsers and mail servers do (UTS 46,
// nontransitional: "ß" isn't "ss").
var hosts = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// FoldEmail returns the form in which e-mail addresses are compared, so that two
// spellings of one mailbox can't be two users, and two mailboxes not one: the lower case
// in NFC, and the domain in its ASCII form ("münchen.example" is
// "xn--mnchen-3ya.example"). It lower-cases the decomposed letters, as "İ" would else be
// "i". A domain that has no ASCII form stays as it is.
func FoldEmail(email string) string {
	if isASCII(email) {
		return strings.ToLower(email)
	}
	email = norm.NFC.String(strings.ToLower(norm.NFD.String(email)))
	at := strings.LastIndexByte(email, '@') + 1
	if at == 0 || isASCII(email[at:]) {
		return email
	}
	if host, err := hosts.ToASCII(email[at:]); err == nil && isASCII(host) {
		return email[:at] + strings.ToLower(host)
	}
	return email
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Caseless returns the form in which labels, and the texts of a search for members, are
// compared: canonical caseless matching (Unicode, section 3.13, D145) in NFC. It
// decomposes first, as folding a composed letter and folding its parts may differ, and
// lower-cases last, as x/text folds each case of Cherokee to the other. Until addresses
// were compared by FoldEmail they were by this.
func Caseless(s string) string {
	return norm.NFC.String(strings.ToLower(cases.Fold().String(norm.NFD.String(s))))
}

func (f *findings) email(pointer, s string) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > MaxEmail || strings.ContainsFunc(s, invisibleRune) {
		f.add(pointer, "format", "not an e-mail address")
	}
}

// invisibleRune reports characters that would make two addresses look alike: spaces,
// controls and format characters, which net/mail accepts as letters beyond ASCII, and
// what has no ink.
func invisibleRune(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsGraphic(r) || unicode.In(r, blanks, unicode.Variation_Selector)
}
