package postgres

import (
	"errors"
	"os"
)

// TempDir makes a directory for a private Postgres in the first of some parents
// that will do: the user whom Postgres runs as can enter it. prefix begins its
// name. The error says of every parent why it won't do. The caller removes it.
func TempDir(prefix string, parents ...string) (string, error) {
	var errs error
	for _, parent := range parents {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		if err := errors.Join(os.Chmod(dir, 0o711), Reachable(dir)); err != nil {
			errs = errors.Join(errs, err, os.Remove(dir))
			continue
		}
		return dir, nil
	}
	return "", errs
}
