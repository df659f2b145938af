package edge

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"docket/domain"
)

const (
	cursorVersion = 1
	cursorMAC     = 16 // bytes of the HMAC-SHA256 that are kept (RFC 2104, section 5)
	maxCursor     = 4096

	cursorParameter = "cursor"

	// minMasterKey is the minimal length of the master key, in bytes.
	minMasterKey = 32
)

// Cursors seals and opens the cursors of all lists. A cursor is
//
//	base64url(version ‖ HMAC(key, version ‖ SHA-256(listing) ‖ position) ‖ position)
//
// The position (the sort values of the last item) is readable, since the client got
// that item, but it can't be changed. The HMAC covers the listing, so a cursor doesn't
// open with another tenant, filter or order.
type Cursors struct {
	key []byte
	// epochs, if not nil, knows the epoch that cursors are bound to.
	epochs Epochs
}

// Listing is what a cursor is bound to. It has no limit and no min_seq: a client may
// change them between pages.
type Listing struct {
	Tenant  domain.TenantID `json:"tenant"`
	Route   string          `json:"route"`   // the operation's id
	Filters any             `json:"filters"` // any JSON value, the same for the same filters
	Sort    string          `json:"sort"`
	// AsOf is the as_of parameter as the client wrote it; empty for now.
	AsOf string `json:"as_of,omitzero"`
	// Epoch is set by Seal and Open; empty in the first.
	Epoch string `json:"epoch,omitzero"`
}

// NewCursors derives the key from a master key of at least 32 bytes. With epochs, which may
// be nil, a cursor of another epoch doesn't open.
func NewCursors(master []byte, epochs Epochs) (*Cursors, error) {
	if len(master) < minMasterKey {
		return nil, fmt.Errorf("the master key must have at least %d bytes, has %d", minMasterKey, len(master))
	}
	key, err := hkdf.Key(sha256.New, master, nil, "docket cursor v1", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &Cursors{key: key, epochs: epochs}, nil
}

// Seal returns the cursor that continues the listing after position, a JSON value.
func (c *Cursors) Seal(l Listing, position any) (string, error) {
	payload, err := json.Marshal(position, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	mac, err := c.mac(l, payload)
	if err != nil {
		return "", err
	}
	token := append([]byte{cursorVersion}, mac...)
	return base64.RawURLEncoding.EncodeToString(append(token, payload...)), nil
}

// Open fills position from a cursor that Seal made for the same listing. For any other
// cursor it returns CodeCursorInvalid, also for one of an older shape of the position.
func (c *Cursors) Open(l Listing, cursor string, position any) error {
	invalid := domain.Refuse(domain.CodeCursorInvalid, "the cursor doesn't belong to this list with these filters and this order")
	// Go's decoder skips line breaks, which would give one position many cursors.
	if len(cursor) > maxCursor || strings.ContainsAny(cursor, "\r\n") {
		return invalid
	}
	token, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(token) < 1+cursorMAC || token[0] != cursorVersion {
		return invalid
	}
	payload := token[1+cursorMAC:]
	mac, err := c.mac(l, payload)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, token[1:1+cursorMAC]) {
		return invalid
	}
	if err := json.Unmarshal(payload, position, json.RejectUnknownMembers(true)); err != nil {
		return invalid
	}
	return nil
}

func (c *Cursors) mac(l Listing, payload []byte) ([]byte, error) {
	if c.epochs != nil {
		l.Epoch = suffixOf(c.epochs.Known())
	}
	bound, err := json.Marshal(l, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	scope := sha256.Sum256(bound)
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte{cursorVersion})
	h.Write(scope[:])
	h.Write(payload)
	return h.Sum(nil)[:cursorMAC], nil
}
