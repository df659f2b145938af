package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSecretsAreCreatedOnce(t *testing.T) {
	t.Parallel()
	s := settings{DataDir: filepath.Join(t.TempDir(), "data")}
	first, err := s.readSecrets()
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.readSecrets()
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("read again: %v; the same: %t", err, reflect.DeepEqual(first, again))
	}
	if len(first.SigningKeys) != 0 || first.SharedSecretSigns || len(first.MasterKey) != minKey || len(first.SetupCode) != 19 {
		t.Errorf("created %d signing keys, a master key of %d bytes and the code %q", len(first.SigningKeys), len(first.MasterKey), first.SetupCode)
	}
	entries, err := os.ReadDir(filepath.Join(s.DataDir, keysDir))
	if err != nil || len(entries) != 2 {
		t.Fatalf("kept %v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	other, err := settings{DataDir: t.TempDir()}.readSecrets()
	if err != nil || other.SetupCode == first.SetupCode {
		t.Errorf("another directory has the same secrets (%v)", err)
	}
}

func TestSettingsTakePrecedenceOverSecretFiles(t *testing.T) {
	t.Parallel()
	s := settings{DataDir: t.TempDir(), SetupCode: "open sesame", JWTKeys: "mine:" + key32}
	got, err := s.readSecrets()
	if err != nil || got.SetupCode != "open sesame" || got.SigningKeys[0].ID != "mine" || !got.SharedSecretSigns {
		t.Errorf("%+v, %v", got, err)
	}
	entries, err := os.ReadDir(filepath.Join(s.DataDir, keysDir))
	if err != nil || len(entries) != 1 {
		t.Errorf("kept %v, %v; want the master key alone", entries, err)
	}
}

func TestDatabaseURLCreatesNoFiles(t *testing.T) {
	t.Parallel()
	s := settings{DataDir: filepath.Join(t.TempDir(), "data"), DatabaseURL: someURL, JWTKeys: "k:" + key32, MasterKey: key32}
	got, err := s.readSecrets()
	if err != nil || got.SetupCode != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Stat(s.DataDir); !os.IsNotExist(err) {
		t.Errorf("the data directory was created (%v)", err)
	}
}

func TestDamagedSecrets(t *testing.T) {
	t.Parallel()
	for file, tc := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"jwt-keys":   {"k:" + key31, 0o600, "31 bytes"},
		"master-key": {"", 0o600, "0 bytes"},
		"setup-code": {"ABCD", 0o604, "chmod 600"},
	} {
		s := settings{DataDir: t.TempDir()}
		if _, err := s.readSecrets(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.DataDir, keysDir, file)
		if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tc.mode); err != nil {
			t.Fatal(err)
		}
		_, err := s.readSecrets()
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The tokens of a release before the managed keys are valid until they expire.
func TestKeysOfAnEarlierReleaseVerify(t *testing.T) {
	t.Parallel()
	s := settings{DataDir: t.TempDir()}
	if err := writeSecret(filepath.Join(s.DataDir, keysDir), "jwt-keys", "old:"+key32+"\n"); err != nil {
		t.Fatal(err)
	}
	got, err := s.readSecrets()
	if err != nil || len(got.SigningKeys) != 1 || got.SigningKeys[0].ID != "old" || got.SharedSecretSigns {
		t.Errorf("%+v, %v", got, err)
	}
}
