package main

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"docket/accounts"
)

// keysDir is the directory, in the data directory, of the secrets that serve creates.
const keysDir = "keys"

// secrets are the secrets of a server.
type secrets struct {
	// SigningKeys are those that are configured; SharedSecretSigns: the first of them signs.
	SigningKeys       []accounts.SigningKey
	SharedSecretSigns bool
	MasterKey         []byte
	// SetupCode founds the default tenant from another machine; empty: none can.
	SetupCode string
}

// secret is one secret: its setting, and how to create it if that isn't set.
type secret struct {
	variable string
	file     string
	value    *string
	// create makes a secret; nil: it may be absent.
	create func() string
}

func (s *settings) secrets() []secret {
	return []secret{
		// Earlier releases signed with the keys in this file; their tokens are valid until they expire.
		{"DOCKET_JWT_KEYS", "jwt-keys", &s.JWTKeys, nil},
		{"DOCKET_MASTER_KEY", "master-key", &s.MasterKey, newMasterKey},
		{"DOCKET_SETUP_CODE", "setup-code", &s.SetupCode, newSetupCode},
	}
}

// requireSecrets refuses to serve DATABASE_URL without its keys: all servers on one
// database need the same, and new keys at each start would end all sessions.
func (s settings) requireSecrets() error {
	if missing := s.missingSecrets(); len(missing) > 0 {
		return missing[0]
	}
	return nil
}

// missingSecrets are all secrets that requireSecrets misses, each a *settingError.
func (s settings) missingSecrets() (missing []error) {
	if s.DatabaseURL == "" {
		return nil
	}
	if s.MasterKey == "" {
		missing = append(missing, &settingError{"DOCKET_MASTER_KEY", "is needed with DATABASE_URL: base64 of at least 32 bytes (openssl rand -base64 32)"})
	}
	return missing
}

// readSecrets completes the settings' secrets with those in the data directory if the
// Postgres is the private one, and creates them at the first start. The caller holds the
// lock on the data directory.
func (s settings) readSecrets() (secrets, error) {
	sharedSecretSigns := s.sharedSecretSigns() // before a key of an earlier release is found
	if s.DatabaseURL == "" {
		for _, secret := range s.secrets() {
			if *secret.value != "" {
				continue
			}
			value, err := readOrCreateSecret(filepath.Join(s.DataDir, keysDir), secret)
			if err != nil {
				return secrets{}, err
			}
			*secret.value = value
		}
	}
	parsed, err := s.parseSecrets()
	parsed.SharedSecretSigns = sharedSecretSigns
	return parsed, err
}

// parseSecrets parses the secrets. A malformed one comes from a file: those of the
// settings were checked.
func (s settings) parseSecrets() (secrets, error) {
	var keys []accounts.SigningKey
	var err error
	if s.JWTKeys != "" {
		keys, err = parseSigningKeys(s.JWTKeys)
	}
	if err != nil {
		return secrets{}, fmt.Errorf("signing keys kept in %s: the file %w", filepath.Join(s.DataDir, keysDir, "jwt-keys"), err)
	}
	master, err := parseMasterKey(s.MasterKey)
	if err != nil {
		return secrets{}, fmt.Errorf("master key kept in %s: the file %w", filepath.Join(s.DataDir, keysDir, "master-key"), err)
	}
	return secrets{SigningKeys: keys, MasterKey: master, SetupCode: s.SetupCode}, nil
}

// readOrCreateSecret reads a secret from its file, and creates the file if there is none.
func readOrCreateSecret(dir string, s secret) (string, error) {
	value, err := readSecret(dir, s)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return value, err
	case s.create == nil:
		return "", nil
	}
	value = s.create()
	return value, writeSecret(dir, s.file, value+"\n")
}

// readSecret reads a secret from its file; the error is fs.ErrNotExist if there is none.
func readSecret(dir string, s secret) (string, error) {
	path := filepath.Join(dir, s.file)
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode()&0o007 != 0 {
		return "", fmt.Errorf("%s can be read by everybody: chmod 600 it, or set %s", path, s.variable)
	}
	raw, err := os.ReadFile(path)
	return strings.TrimSpace(string(raw)), err
}

// writeSecret creates a file of mode 0600, completely or not at all.
func writeSecret(dir, name, content string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newMasterKey() string { return base64.StdEncoding.EncodeToString(random(minKey)) }

// newSetupCode is 80 bits that can be read aloud: ABCD-EFGH-IJKL-MNOP.
func newSetupCode() string {
	code := base32.StdEncoding.EncodeToString(random(10))
	return code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
}

// random never fails; it ends the program where there is no randomness.
func random(bytes int) []byte {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return b
}
