package commands

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Store is what commands need of the event store.
type Store interface {
	Append(context.Context, eventstore.Commit) (eventstore.Appended, error)
	Fold(ctx context.Context, t domain.TenantID, s domain.StreamID, after, upTo int, apply func(domain.Recorded) error) error
	Claimant(ctx context.Context, t domain.TenantID, kind eventstore.ClaimKind, value string) (uuid.UUID, bool, error)
	ClaimantsBut(ctx context.Context, t domain.TenantID, kind eventstore.ClaimKind, but uuid.UUID, limit int) ([]uuid.UUID, error)
	Remembered(ctx context.Context, t domain.TenantID, key eventstore.Hash) (eventstore.Entry, bool, error)
	RememberedAll(ctx context.Context, t domain.TenantID, keys []eventstore.Hash) (map[eventstore.Hash]eventstore.Entry, error)
	Forget(ctx context.Context, age time.Duration, limit int) (int, error)
	ServerNumber() eventstore.ServerNumber
}

// Secrets stores tenants' secrets, sealed, under names that events may carry.
type Secrets interface {
	Put(ctx context.Context, t domain.TenantID, id domain.SecretID, value string) error
	// Is reports whether the secret of a name can be read and has this value.
	Is(ctx context.Context, t domain.TenantID, id domain.SecretID, value string) (bool, error)
}

// Passwords stores the passwords of users who register.
type Passwords interface {
	// Validate returns what is wrong with a password, as an error of the field at
	// pointer, or nil. known are words that belong to its user.
	Validate(pointer, password string, known ...string) *domain.FieldError
	// Create also has the user's address verified.
	Create(ctx context.Context, u domain.UserID, email, password string) error
	Delete(ctx context.Context, u domain.UserID) error
}

// Config is what Commands are made of.
type Config struct {
	Store Store
	// Passwords stores passwords; Register needs it.
	Passwords Passwords
	// Secrets stores what must not be in an event; with nil, nothing can be stored.
	Secrets Secrets
	// APIKeys stores the keys of service accounts; with nil, none can be made.
	APIKeys APIKeys
	// SetupCode founds the default tenant from another machine; if it is empty, only
	// a request from the machine itself can.
	SetupCode string
	// Registration says who may register; RegisterLocal if empty.
	Registration RegistrationPolicy
	// OnlyOperatorsCreate says that users create no tenants; TenantsPerUser is how many a
	// user may own who creates another, 0 for any number.
	OnlyOperatorsCreate bool
	TenantsPerUser      int
	// MaxFolds is how many folded aggregates the cache holds; 20,000 if 0. Whatever it
	// says, their states take 64 MiB at most.
	MaxFolds int
	// Logger discards if nil.
	Logger *slog.Logger
	// Metrics registers the metrics of Commands; none are registered if nil.
	Metrics prometheus.Registerer
}

// Commands carries out commands. Its methods may be called from any goroutine.
type Commands struct {
	store     Store
	folds     *folds
	slugs     *slugs
	passwords Passwords
	secrets   Secrets
	apiKeys   APIKeys
	bulks     *bulkShares
	setupCode string
	admission admission
	log       *slog.Logger
	metrics   *metrics
}

// New makes Commands.
func New(cfg Config) (*Commands, error) {
	if cfg.MaxFolds == 0 {
		cfg.MaxFolds = 20_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	folds, err := newFolds(cfg.MaxFolds, foldBytes, cfg.Store.ServerNumber)
	if err != nil {
		return nil, fmt.Errorf("fold cache: %w", err)
	}
	slugs, err := newSlugs(cfg.Store)
	if err != nil {
		return nil, fmt.Errorf("slug cache: %w", err)
	}
	return &Commands{
		store: cfg.Store, folds: folds, slugs: slugs, bulks: newBulkShares(), passwords: cfg.Passwords, secrets: cfg.Secrets, apiKeys: cfg.APIKeys,
		admission: newAdmission(cfg), setupCode: cfg.SetupCode, log: cfg.Logger, metrics: newMetrics(cfg.Metrics, folds),
	}, nil
}

// ServerChanged empties the caches: their states may be of events that the database has
// lost. It is called after the Store's.
func (c *Commands) ServerChanged() {
	c.folds.clear()
	c.slugs.cache.Purge()
}

// newID is a UUIDv7. It fails only where the system has no randomness.
func newID[ID ~[16]byte]() (ID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return ID{}, fmt.Errorf("new id: %w", err)
	}
	return ID(id), nil
}
