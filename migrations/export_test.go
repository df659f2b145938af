package migrations

import (
	"context"

	"github.com/pressly/goose/v3"
)

// UpTo is Up that stops at a version.
func UpTo(ctx context.Context, ownerURL string, to int64) error {
	return withProvider(ownerURL, files, func(p *goose.Provider) error {
		_, err := p.UpTo(ctx, to)
		return err
	})
}
