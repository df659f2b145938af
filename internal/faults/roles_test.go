//go:build linux

package faults_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"docket/commands"
	"docket/domain"
)

// While one replica revokes a role, another acts in it as fast as it can: what
// was asked for after the revocation's answer is refused, and in the log nothing
// stands after it.
func TestRevokedRoleIsNeverObeyed(t *testing.T) {
	t.Parallel()
	const actors = 4
	rounds := scaled(100)
	c := newCompany(t)
	var inTime int64
	for range rounds {
		var (
			revoked           atomic.Bool
			obeyed, afterward atomic.Int64
			working           = newGauge()
			wait              sync.WaitGroup
		)
		for range actors {
			wait.Go(func() {
				for {
					known := revoked.Load()
					s, err := c.two.Admit(t.Context(), c.tenant, c.bob, false)
					if err == nil {
						_, err = c.two.CreateProject(t.Context(), s, commands.Origin{}, domain.CreateProject{Name: "P", Visibility: domain.Private})
					}
					switch {
					case err == nil && known:
						afterward.Add(1)
						return
					case err == nil:
						obeyed.Add(1)
						working.add(1)
					case domain.CodeOf(err) != domain.CodeInsufficientRole:
						t.Error(err)
						return
					case known:
						return
					}
				}
			})
		}
		working.reach(t.Context(), actors)
		c.give(c.one, c.ann, c.bob, domain.Viewer)
		revoked.Store(true)
		wait.Wait()
		if n := afterward.Load(); n > 0 {
			t.Errorf("%d commands were obeyed after the role was revoked", n)
		}
		inTime += obeyed.Load()
		c.give(c.one, c.ann, c.bob, domain.Member)
	}
	for _, v := range checkRolesInLog(c.log()) {
		t.Error(v)
	}
	t.Logf("%d revocations, %d commands before them", rounds, inTime)
}

// Two owners who go, or demote each other, or one of each, at the same moment on
// two replicas: at every point of the log there is an owner.
func TestOneOwnerIsAlwaysLeft(t *testing.T) {
	t.Parallel()
	rounds := scaled(100)
	c := newCompany(t)
	ctx := t.Context()
	c.give(c.one, c.ann, c.bob, domain.Owner)
	demote := func(at *commands.Commands, by domain.Scope, other domain.UserID) error {
		_, err := at.ChangeRole(ctx, by, commands.Origin{}, other, domain.ChangeRole{Role: domain.To(domain.Member)})
		return err
	}
	leave := func(at *commands.Commands, by domain.Scope, _ domain.UserID) error {
		_, err := at.RemoveMember(ctx, by, commands.Origin{}, by.Actor().ID, domain.RemoveMember{})
		return err
	}
	ways := []func(*commands.Commands, domain.Scope, domain.UserID) error{demote, leave}
	both := 0
	for round := range rounds {
		ann, bob := c.scope(c.one, c.ann), c.scope(c.two, c.bob)
		start, errs := make(chan struct{}), make(chan error, 2)
		go func() {
			<-start
			errs <- ways[round%2](c.one, ann, c.bob)
		}()
		go func() {
			<-start
			errs <- ways[round/2%2](c.two, bob, c.ann)
		}()
		close(start)
		done := 0
		for range 2 {
			switch err := <-errs; domain.CodeOf(err) {
			case domain.CodeLastOwner, domain.CodeInsufficientRole, domain.CodeTenantAccessDenied, domain.CodeNotFound:
			default:
				if err != nil {
					t.Fatal(err)
				}
				done++
			}
		}
		if done == 2 {
			both++ // one demotes, and that one leaves: fine
		}
		c.restore(t)
	}
	roles := map[domain.UserID]domain.Role{}
	for _, e := range c.log() {
		switch m := e.Event.(type) {
		case domain.MemberJoined:
			roles[m.UserID] = m.Role
		case domain.MemberRoleChanged:
			roles[m.UserID] = m.To
		case domain.MemberLeft:
			delete(roles, m.UserID)
		default:
			continue
		}
		owners := 0
		for _, role := range roles {
			if role == domain.Owner {
				owners++
			}
		}
		if owners == 0 {
			t.Errorf("after seq %d the tenant has no owner", e.Seq)
		}
	}
	t.Logf("in %d of %d rounds both had their way", both, rounds)
}

// restore makes ann and bob owners again, by the one who still is.
func (c *company) restore(t *testing.T) {
	t.Helper()
	role := func(u domain.UserID) domain.Role {
		s, err := c.one.Admit(t.Context(), c.tenant, u, true)
		if err != nil {
			return ""
		}
		return s.Actor().Role
	}
	for _, pair := range [][2]domain.UserID{{c.ann, c.bob}, {c.bob, c.ann}} {
		stays, other := pair[0], pair[1]
		if role(stays) != domain.Owner {
			continue
		}
		switch role(other) {
		case "":
			if _, err := c.one.Join(t.Context(), c.tenant, other, commands.Origin{}, commands.Registrant{}); err != nil {
				t.Fatal(err)
			}
			c.give(c.one, stays, other, domain.Owner)
		case domain.Owner:
		default:
			c.give(c.one, stays, other, domain.Owner)
		}
		return
	}
	t.Fatal("the tenant has no owner any more")
}
