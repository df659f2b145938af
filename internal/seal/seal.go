// Package seal encrypts small secrets that are kept in the database.
//
// A sealed value is bound to a name: Open refuses it under another one, so a row that
// was copied to another tenant reveals nothing. The form is
//
//	version (1 byte) | nonce (12) | ciphertext and tag
//
// with AES-256-GCM (NIST SP 800-38D), under a key that HKDF-SHA-256 (RFC 5869)
// derives from the master key for this purpose.
//
// Deliberately absent: rotation of the master key. The version byte leaves room
// for it.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	version1  = 1
	minMaster = 32
	keyLength = 32 // AES-256
)

// ErrUnreadable says that a value was sealed under another key or name, or is damaged.
var ErrUnreadable = errors.New("sealed under another key or name, or damaged")

// Box seals and opens. It may be used from any goroutine.
type Box struct{ aead cipher.AEAD }

// New derives the key of a Box from a master key of at least 32 bytes. Each purpose
// has another key.
func New(master []byte, purpose string) (*Box, error) {
	if len(master) < minMaster {
		return nil, fmt.Errorf("seal: the master key has %d bytes; at least %d are needed", len(master), minMaster)
	}
	key, err := hkdf.Key(sha256.New, master, nil, purpose, keyLength)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &Box{aead}, nil
}

// Seal encrypts a value under a name. The nonce is random, so one key may seal 2^32
// values.
func (b *Box) Seal(value []byte, name string) []byte {
	out := make([]byte, 1+b.aead.NonceSize(), 1+b.aead.NonceSize()+len(value)+b.aead.Overhead())
	out[0] = version1
	_, _ = rand.Read(out[1:]) // never fails; it ends the program where there is no randomness
	return b.aead.Seal(out, out[1:], value, bound(out[0], name))
}

// Open decrypts a value that was sealed under the same name, or returns
// ErrUnreadable.
func (b *Box) Open(sealed []byte, name string) ([]byte, error) {
	head := 1 + b.aead.NonceSize()
	if len(sealed) < head || sealed[0] != version1 {
		return nil, ErrUnreadable
	}
	value, err := b.aead.Open(nil, sealed[1:head], sealed[head:], bound(sealed[0], name))
	if err != nil {
		return nil, ErrUnreadable
	}
	return value, nil
}

// bound is the additional data that the tag authenticates.
func bound(version byte, name string) []byte { return append([]byte{version}, name...) }
