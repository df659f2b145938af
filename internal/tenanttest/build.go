package tenanttest

import (
	"context"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SingleBuild is the only build of its Builds; Close ends both.
type SingleBuild struct {
	*feed.Build
	Close func()
}

// StartBuild begins or resumes one.
func StartBuild(ctx context.Context, pool *pgxpool.Pool, t domain.TenantID, subscription string, foldVersion int) (*SingleBuild, error) {
	builds, err := feed.OpenBuilds(ctx, pool, t, "")
	if err != nil {
		return nil, err
	}
	b, err := builds.Start(ctx, subscription, foldVersion)
	if err != nil {
		builds.Close()
		return nil, err
	}
	return &SingleBuild{b, builds.Close}, nil
}
