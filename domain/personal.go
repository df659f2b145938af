package domain

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Personal is a field of an event that contains personal data. An envelope names
// the person, so that the value can be made unreadable later on its own:
//
//	"email": {"$p": {"subject": "<user id>", "key": "none", "value": "ann@example.org"}}
//
// Key names the encryption key of the value. This version writes and reads only
// KeyNone, plain text, and refuses any other key with ErrUnknownKey, so that a newer
// version can encrypt without this one misreading it.
type Personal struct {
	Subject UserID
	Value   string
}

// KeyNone marks a value that is stored as plain text.
const KeyNone = "none"

// ErrUnknownKey says that a newer version has written a personal field.
var ErrUnknownKey = errors.New("personal field under a key this version doesn't know")

type personalEnvelope struct {
	P personalContent `json:"$p"`
}

type personalContent struct {
	Subject UserID `json:"subject"`
	Key     string `json:"key"`
	Value   string `json:"value"`
}

// About makes a personal field.
func About(subject UserID, value string) Personal {
	return Personal{Subject: subject, Value: value}
}

// MarshalJSON writes the envelope.
func (p Personal) MarshalJSON() ([]byte, error) {
	return marshal(personalEnvelope{personalContent{p.Subject, KeyNone, p.Value}})
}

// UnmarshalJSON reads the envelope.
func (p *Personal) UnmarshalJSON(b []byte) error {
	var e personalEnvelope
	if err := json.Unmarshal(b, &e); err != nil {
		// With a newer version's key the value may have any form.
		var under struct {
			P struct {
				Key string `json:"key"`
			} `json:"$p"`
		}
		if json.Unmarshal(b, &under) == nil && under.P.Key != "" && under.P.Key != KeyNone {
			return fmt.Errorf("%w: %q", ErrUnknownKey, under.P.Key)
		}
		return fmt.Errorf("personal field: %w", err)
	}
	if e.P.Key == "" {
		// The field is damaged: no newer version could read it.
		return errors.New("personal field without its envelope")
	}
	if e.P.Key != KeyNone {
		return fmt.Errorf("%w: %q", ErrUnknownKey, e.P.Key)
	}
	*p = Personal{Subject: e.P.Subject, Value: e.P.Value}
	return nil
}
