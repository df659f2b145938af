package accounts

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"docket/domain"

	"github.com/trustelem/zxcvbn"
	"golang.org/x/text/unicode/norm"
)

// Limits of a password, in characters of its canonical form.
const (
	MinPassword = 8
	MaxPassword = 128
)

const (
	// minGuesses is how many guesses a password must withstand: those of the lists of common
	// passwords, with their usual variations, withstand fewer.
	minGuesses = 10_000
	// maxEstimated is the longest password, in characters, whose guesses are estimated: it
	// takes milliseconds, and a longer one is in no list.
	maxEstimated = 40
)

// canonical is the form of a password that is counted and hashed: NFC, as two keyboards may
// write one character in two ways.
func canonical(password string) string { return norm.NFC.String(password) }

// Validate returns what is wrong with a new password, as an error of the field at pointer,
// or nil. known are words that belong to its user, such as the name and the address.
func (p *Passwords) Validate(pointer, password string, known ...string) *domain.FieldError {
	if !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl) {
		return &domain.FieldError{Pointer: pointer, Code: "characters", Detail: "control characters aren't allowed"}
	}
	password = canonical(password)
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return &domain.FieldError{Pointer: pointer, Code: "too_short", Detail: fmt.Sprintf("at least %d characters are needed", MinPassword)}
	case n > MaxPassword:
		return &domain.FieldError{Pointer: pointer, Code: "too_long", Detail: fmt.Sprintf("at most %d characters are allowed", MaxPassword)}
	case n <= maxEstimated && zxcvbn.PasswordStrength(password, known).Guesses < minGuesses:
		return &domain.FieldError{Pointer: pointer, Code: "common", Detail: "this password is common, or made of your name or address"}
	}
	return nil
}

// checkNew is Validate as a refusal.
func (p *Passwords) checkNew(pointer, password string) error {
	wrong := p.Validate(pointer, password)
	if wrong == nil {
		return nil
	}
	return &domain.Error{Code: domain.CodeValidationFailed, Detail: "the new password isn't valid", Fields: []domain.FieldError{*wrong}}
}
