//go:build linux

package faults_test

import (
	"testing"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"

	"github.com/jackc/pgx/v5/pgxpool"
)

// company is the default tenant with two owners' worth of people, and the
// commands of two replicas on it: pools, lanes and caches of their own.
type company struct {
	t        *testing.T
	engine   *pgxpool.Pool
	one, two *commands.Commands
	tenant   domain.TenantID
	ann, bob domain.UserID
}

// newCompany makes one that ann founded and bob joined.
func newCompany(t *testing.T) *company {
	t.Helper()
	db := pgtest.New(t)
	replica := func() *commands.Commands {
		engine := db.Engine(t)
		passwords, err := accounts.NewPasswords(engine)
		if err != nil {
			t.Fatal(err)
		}
		c, err := commands.New(commands.Config{Store: eventstore.New(engine, db.API(t), nil), Passwords: passwords})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := &company{t: t, engine: db.Engine(t), one: replica(), two: replica()}
	var err error
	if c.tenant, err = c.one.EnsureDefaultTenant(t.Context(), commands.NewTenant{Name: "Default Org", Slug: "default"}); err != nil {
		t.Fatal(err)
	}
	c.ann, c.bob = c.register("ann"), c.register("bob")
	return c
}

func (c *company) register(name string) domain.UserID {
	c.t.Helper()
	done, err := c.one.Register(c.t.Context(), c.tenant, commands.Origin{}, commands.Registration{
		Email: name + "@example.org", Password: password, Name: name, Registrant: commands.Registrant{Local: true},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return done.State.ID
}

// scope is a user's, as a replica has it in memory or reads it.
func (c *company) scope(at *commands.Commands, u domain.UserID) domain.Scope {
	c.t.Helper()
	s, err := at.Admit(c.t.Context(), c.tenant, u, false)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// give gives a member a role.
func (c *company) give(at *commands.Commands, by, to domain.UserID, role domain.Role) {
	c.t.Helper()
	if _, err := at.ChangeRole(c.t.Context(), c.scope(at, by), commands.Origin{}, to, domain.ChangeRole{Role: domain.To(role)}); err != nil {
		c.t.Fatal(err)
	}
}

// log is the tenant's.
func (c *company) log() []domain.Recorded { return readLog(c.t, c.engine, c.tenant) }
