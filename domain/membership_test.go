package domain_test

import (
	"fmt"
	"slices"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

var members = subject[domain.Membership, domain.MembershipCommand]{
	stream: domain.Stream(domain.MemberStream, person(1)),
	author: actor(9, domain.Owner),
	decide: domain.DecideMembership,
}

var user1 = domain.User{ID: person(1), Email: "one@example.org", Name: "Person 1", Version: 1}

func joined(r domain.Role) domain.MemberJoined {
	return domain.MemberJoined{
		UserID: person(1), Email: domain.About(person(1), "one@example.org"),
		Name: domain.About(person(1), "Person 1"), Role: r, UserVersion: user1.Version,
	}
}

// joinedAt is joined at another version of the user's stream.
func joinedAt(r domain.Role, userVersion int) domain.MemberJoined {
	e := joined(r)
	e.UserVersion = userVersion
	return e
}

func changedRole(from, to domain.Role) domain.MemberRoleChanged {
	return domain.MemberRoleChanged{UserID: person(1), Name: domain.About(person(1), "Person 1"), From: from, To: to}
}

func left(r domain.Role) domain.MemberLeft {
	return domain.MemberLeft{UserID: person(1), Name: domain.About(person(1), "Person 1"), Role: r}
}

func memberRenamed(from, to string, userVersion int) domain.MemberRenamed {
	return domain.MemberRenamed{
		UserID: person(1), From: domain.About(person(1), from), Name: domain.About(person(1), to), UserVersion: userVersion,
	}
}

func TestMembershipJoin(t *testing.T) {
	t.Parallel()
	owner := actor(9, domain.Owner)
	gone := []domain.Event{joined(domain.Member), left(domain.Member)}
	fourth := user1
	fourth.Version = 4
	members.run(t, []scenario[domain.MembershipCommand]{
		{
			name: "join, without an actor", when: domain.JoinTenant{User: user1, Role: domain.Member},
			then: []domain.Event{joined(domain.Member)},
		}, {
			name: "join under the user's fourth name", when: domain.JoinTenant{User: fourth, Role: domain.Member},
			then: []domain.Event{joinedAt(domain.Member, 4)},
		}, {
			name: "found", when: domain.JoinTenant{User: user1, Role: domain.Owner},
			then: []domain.Event{joined(domain.Owner)},
		}, {
			name: "join again after an owner's removal", given: gone,
			when: domain.JoinTenant{User: user1, Role: domain.Viewer}, refused: domain.CodeTenantAccessDenied,
		}, {
			name: "join again after being removed, added and removed", given: append(slices.Clone(gone), gone...),
			when: domain.JoinTenant{User: user1, Role: domain.Viewer}, refused: domain.CodeTenantAccessDenied,
		}, {
			name: "join twice", given: []domain.Event{joined(domain.Member)},
			when: domain.JoinTenant{User: user1, Role: domain.Member}, refused: domain.CodeAlreadyMember,
		}, {
			name: "join with an unknown role", when: domain.JoinTenant{User: user1, Role: "king"},
			refused: domain.CodeValidationFailed, at: "/role",
		}, {
			name: "add", by: owner, when: domain.AddMember{User: user1, Role: domain.Auditor},
			then: []domain.Event{joined(domain.Auditor)},
		}, {
			name: "add under the user's fourth name", by: owner, when: domain.AddMember{User: fourth, Role: domain.Viewer},
			then: []domain.Event{joinedAt(domain.Viewer, 4)},
		}, {
			name: "add after leaving", given: gone, by: owner, when: domain.AddMember{User: user1, Role: domain.Owner},
			then: []domain.Event{joined(domain.Owner)},
		}, {
			name: "add twice", given: []domain.Event{joined(domain.Member)}, by: owner,
			when: domain.AddMember{User: user1, Role: domain.Owner}, refused: domain.CodeAlreadyMember,
		}, {
			name: "add as manager", by: actor(8, domain.Manager),
			when: domain.AddMember{User: user1, Role: domain.Viewer}, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Owner, "your_role": domain.Manager},
		}, {
			name: "add without a role", by: owner, when: domain.AddMember{User: user1},
			refused: domain.CodeValidationFailed, at: "/role",
		},
	})
}

// No member comes back to more than the last decision of an owner: each role that a member left
// with, and each that the tenant gives to who joins.
func TestMembershipReturn(t *testing.T) {
	t.Parallel()
	own := members
	own.author = actor(1, domain.Member) // the member leaves
	var list []scenario[domain.MembershipCommand]
	for _, last := range domain.Roles() {
		for _, given := range domain.Roles() {
			want := given
			switch {
			case last == domain.Auditor || given == domain.Auditor:
				want = last
			case slices.Index(domain.Roles(), last) > slices.Index(domain.Roles(), given):
				want = last // from the highest down
			}
			list = append(list, scenario[domain.MembershipCommand]{
				name:  fmt.Sprintf("left as %s, the tenant gives %s", last, given),
				given: []domain.Event{joined(domain.Owner), changedRole(domain.Owner, last), left(last)},
				when:  domain.JoinTenant{User: user1, Role: given}, then: []domain.Event{joined(want)},
			})
		}
	}
	own.run(t, list)
}

func TestMembershipChangeAndRemove(t *testing.T) {
	t.Parallel()
	owner, self := actor(9, domain.Owner), actor(1, domain.Owner)
	member, sole := []domain.Event{joined(domain.Member)}, []domain.Event{joined(domain.Owner)}
	gone := []domain.Event{joined(domain.Member), left(domain.Member)}
	members.run(t, []scenario[domain.MembershipCommand]{
		{
			name: "raise", given: member, by: owner,
			when: domain.ChangeRole{IfMatch: domain.IfVersion(1), Role: domain.To(domain.Manager)},
			then: []domain.Event{changedRole(domain.Member, domain.Manager)},
		}, {
			name: "to the present name", given: member, by: owner, when: domain.ChangeRole{Role: domain.To(domain.Member)},
		}, {
			name: "nothing at all", given: member, by: owner, when: domain.ChangeRole{},
		}, {
			name: "the last owner stays owner", given: sole, by: self, when: domain.ChangeRole{Role: domain.To(domain.Owner)},
		}, {
			name: "the last owner can't step down", given: sole, by: self,
			when: domain.ChangeRole{Role: domain.To(domain.Manager)}, refused: domain.CodeLastOwner,
		}, {
			name: "one owner of two steps down", given: sole, by: self,
			when: domain.ChangeRole{Role: domain.To(domain.Manager), OwnerStays: true},
			then: []domain.Event{changedRole(domain.Owner, domain.Manager)},
		}, {
			name: "one's own role without being owner", given: member, by: actor(1, domain.Member),
			when: domain.ChangeRole{Role: domain.To(domain.Owner)}, refused: domain.CodeInsufficientRole,
		}, {
			name: "of a former member", given: gone, by: owner,
			when: domain.ChangeRole{Role: domain.To(domain.Manager)}, refused: domain.CodeNotFound,
		}, {
			name: "of a user who never joined", by: owner, when: domain.ChangeRole{Role: domain.To(domain.Manager)}, refused: domain.CodeNotFound,
		}, {
			name: "to no role", given: member, by: owner, when: domain.ChangeRole{Role: domain.To(domain.Role("king"))},
			refused: domain.CodeValidationFailed, at: "/role",
		}, {
			name: "remove", given: member, by: owner, when: domain.RemoveMember{IfMatch: domain.IfVersion(1)},
			then: []domain.Event{left(domain.Member)},
		}, {
			name: "leave as member", given: member, by: actor(1, domain.Member), when: domain.RemoveMember{},
			then: []domain.Event{left(domain.Member)},
		}, {
			name: "leave as auditor", given: []domain.Event{joined(domain.Auditor)}, by: actor(1, domain.Auditor),
			when: domain.RemoveMember{}, then: []domain.Event{left(domain.Auditor)},
		}, {
			name: "remove another as manager", given: member, by: actor(8, domain.Manager),
			when: domain.RemoveMember{}, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Owner, "your_role": domain.Manager},
		}, {
			name: "remove another as auditor", given: member, by: actor(8, domain.Auditor),
			when: domain.RemoveMember{}, refused: domain.CodeInsufficientRole,
		}, {
			name: "the last owner can't leave", given: sole, by: self,
			when: domain.RemoveMember{}, refused: domain.CodeLastOwner,
		}, {
			name: "one owner of two leaves", given: sole, by: self, when: domain.RemoveMember{OwnerStays: true},
			then: []domain.Event{left(domain.Owner)},
		}, {
			name: "leave twice", given: gone, by: actor(1, domain.Member),
			when: domain.RemoveMember{}, refused: domain.CodeNotFound,
		},
	})
}

// A subscription copies a user's new name, perhaps twice or late. It needs no role and
// is never refused.
func TestMembershipRename(t *testing.T) {
	t.Parallel()
	member, renamed := []domain.Event{joined(domain.Member)}, []domain.Event{joined(domain.Member), memberRenamed("Person 1", "One", 3)}
	later := []domain.Event{joinedAt(domain.Member, 5)}
	rename := func(name string, version int) domain.RenameMember {
		return domain.RenameMember{Name: name, UserVersion: version}
	}
	members.run(t, []scenario[domain.MembershipCommand]{
		{name: "rename", given: member, when: rename("One", 2), then: []domain.Event{memberRenamed("Person 1", "One", 2)}},
		{name: "a newer one", given: renamed, when: rename("Uno", 4), then: []domain.Event{memberRenamed("One", "Uno", 4)}},
		{name: "the same once more", given: renamed, when: rename("One", 3)},
		{name: "the same version with another name", given: renamed, when: rename("Uno", 3)},
		{name: "an older one that arrives late", given: renamed, when: rename("Uno", 2)},
		{name: "to the present name", given: member, when: rename("Person 1", 2)},
		{name: "older than the joining", given: later, when: rename("An earlier name", 4)},
		{name: "the version at joining", given: later, when: rename("An earlier name", 5)},
		{name: "newer than the joining", given: later, when: rename("One", 6), then: []domain.Event{memberRenamed("Person 1", "One", 6)}},
		{
			name: "older than joining again", given: append(renamed, left(domain.Member), joinedAt(domain.Member, 5)),
			when: rename("An earlier name", 4),
		},
		{
			name: "joined at an unknown version", given: []domain.Event{joinedAt(domain.Member, 0)},
			when: rename("One", 2), then: []domain.Event{memberRenamed("Person 1", "One", 2)},
		},
		{name: "of a former member", given: append(member, left(domain.Member)), when: rename("One", 2)},
		{name: "of a user who never joined", when: rename("One", 2)},
	})
	got := fold[domain.Membership](t, members.stream, members.author, renamed...)
	if got.Name != "One" || got.UserVersion != 3 || got.Role != domain.Member || got.Version != 2 {
		t.Errorf("renamed: %+v", got)
	}
}

func TestMembershipOrder(t *testing.T) {
	t.Parallel()
	// missing and already (a member) exclude each other, so there are two ladders.
	type attempt struct{ misshapen, missing, lowly, stale, last bool }
	state := func(t *testing.T, x attempt) domain.Membership {
		events := []domain.Event{joined(domain.Owner)}
		if x.missing {
			events = append(events, left(domain.Owner))
		}
		return fold[domain.Membership](t, members.stream, members.author, events...)
	}
	by := func(x attempt) domain.Actor {
		if x.lowly {
			return actor(8, domain.Manager)
		}
		return actor(9, domain.Owner)
	}
	match := func(x attempt) domain.IfMatch {
		if x.stale {
			return domain.IfVersion(7)
		}
		return domain.IfVersion(1)
	}
	misshapen := fault[attempt]{"misshapen", domain.CodeValidationFailed, func(x *attempt) { x.misshapen = true }}
	missing := fault[attempt]{"missing", domain.CodeNotFound, func(x *attempt) { x.missing = true }}
	lowly := fault[attempt]{"lowly", domain.CodeInsufficientRole, func(x *attempt) { x.lowly = true }}
	stale := fault[attempt]{"stale", domain.CodeVersionConflict, func(x *attempt) { x.stale = true }}
	last := fault[attempt]{"last", domain.CodeLastOwner, func(x *attempt) { x.last = true }}

	t.Run("change", func(t *testing.T) {
		ladder(t, func(t *testing.T, x attempt) ([]domain.Event, error) {
			c := domain.ChangeRole{IfMatch: match(x), Role: domain.To(domain.Viewer), OwnerStays: !x.last}
			if x.misshapen {
				c.Role = domain.To(domain.Role(""))
			}
			return domain.DecideMembership(state(t, x), by(x), c)
		}, misshapen, missing, lowly, stale, last)
	})
	t.Run("remove", func(t *testing.T) {
		ladder(t, func(t *testing.T, x attempt) ([]domain.Event, error) {
			return domain.DecideMembership(state(t, x), by(x), domain.RemoveMember{IfMatch: match(x), OwnerStays: !x.last})
		}, missing, lowly, stale, last)
	})
	t.Run("add", func(t *testing.T) {
		already := fault[attempt]{"already", domain.CodeAlreadyMember, func(x *attempt) { x.last = true }}
		ladder(t, func(t *testing.T, x attempt) ([]domain.Event, error) {
			c := domain.AddMember{User: user1, Role: domain.Viewer}
			if x.misshapen {
				c.Role = ""
			}
			return domain.DecideMembership(state(t, attempt{missing: !x.last}), by(x), c)
		}, misshapen, lowly, already)
	})
}

func TestMembershipFold(t *testing.T) {
	t.Parallel()
	got := fold[domain.Membership](t, members.stream, members.author,
		joined(domain.Owner), left(domain.Owner), joined(domain.Viewer), changedRole(domain.Viewer, domain.Manager))
	want := domain.Membership{
		TenantID: tenantID, UserID: person(1), Email: "one@example.org", Name: "Person 1",
		Role: domain.Manager, JoinedAt: moment(3), Active: true, UserVersion: 1, Version: 4,
	}
	removed := fold[domain.Membership](t, members.stream, members.author, joined(domain.Owner), left(domain.Owner))
	leaver := fold[domain.Membership](t, members.stream, actor(1, domain.Owner), joined(domain.Owner), left(domain.Owner))
	if removed.Active || !removed.Removed || leaver.Active || leaver.Removed {
		t.Errorf("removed: %+v; left: %+v", removed, leaver)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
