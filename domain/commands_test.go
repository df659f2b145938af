package domain_test

import (
	"go/ast"
	"reflect"
	"slices"
	"strings"
	"testing"

	"docket/domain"
)

// commands is one command of each type, with its decision.
var commands = []struct {
	command any
	decide  func(any) error
}{
	{domain.CreateTenant{}, decideTenant}, {domain.EditTenant{}, decideTenant}, {domain.FoundTenant{}, decideTenant}, {domain.BeginEpoch{}, decideTenant},
	{domain.RegisterUser{}, decideUser}, {domain.RenameUser{}, decideUser},
	{domain.JoinTenant{}, decideMembership}, {domain.AddMember{}, decideMembership},
	{domain.ChangeRole{}, decideMembership}, {domain.RenameMember{}, decideMembership}, {domain.RemoveMember{}, decideMembership},
	{domain.CreateProject{}, decideProject}, {domain.EditProject{}, decideProject},
	{domain.MoveProject{}, decideProject}, {domain.DeleteProject{}, decideProject},
	{domain.CreateTask{}, decideTask}, {domain.EditTask{}, decideTask}, {domain.DeleteTask{}, decideTask},
	{domain.CreateAPIKey{}, decideAPIKey}, {domain.RotateAPIKey{}, decideAPIKey}, {domain.RevokeAPIKey{}, decideAPIKey},
	{domain.CreateComment{}, decideComment}, {domain.EditComment{}, decideComment}, {domain.DeleteComment{}, decideComment},
}

func decideTenant(c any) error {
	_, err := domain.DecideTenant(domain.Tenant{}, domain.Actor{}, c.(domain.TenantCommand))
	return err
}

func decideUser(c any) error {
	_, err := domain.DecideUser(domain.User{}, c.(domain.UserCommand))
	return err
}

func decideMembership(c any) error {
	_, err := domain.DecideMembership(domain.Membership{}, domain.Actor{}, c.(domain.MembershipCommand))
	return err
}

func decideProject(c any) error {
	_, err := domain.DecideProject(domain.Project{}, domain.Actor{}, c.(domain.ProjectCommand))
	return err
}

func decideTask(c any) error {
	_, err := domain.DecideTask(domain.Task{}, domain.Actor{}, c.(domain.TaskCommand))
	return err
}

func decideComment(c any) error {
	_, err := domain.DecideComment(domain.Comment{}, domain.Actor{}, c.(domain.CommentCommand))
	return err
}

func decideAPIKey(c any) error {
	_, err := domain.DecideAPIKey(domain.APIKey{}, domain.Actor{}, c.(domain.APIKeyCommand))
	return err
}

// Every command type of the source is listed above, and its decision returns a
// refusal of the contract or no error.
func TestEveryCommandIsDecided(t *testing.T) {
	t.Parallel()
	var inSource, here []string
	for _, f := range source(t) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && strings.HasSuffix(fn.Name.Name, "Command") {
				inSource = append(inSource, fn.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	for _, c := range commands {
		here = append(here, reflect.TypeOf(c.command).Name())
		if err := c.decide(c.command); err != nil && domain.CodeOf(err) == domain.CodeInternal {
			t.Errorf("%T: %v", c.command, err)
		}
	}
	slices.Sort(inSource)
	slices.Sort(here)
	if !slices.Equal(inSource, here) {
		t.Errorf("the source has the commands %v, this test %v", inSource, here)
	}
}

// A command without a decision is a bug, not a refusal.
func TestUnknownCommands(t *testing.T) {
	t.Parallel()
	for _, decide := range []func() error{
		func() error { _, err := domain.DecideTenant(domain.Tenant{}, domain.Actor{}, nil); return err },
		func() error { _, err := domain.DecideUser(domain.User{}, nil); return err },
		func() error { _, err := domain.DecideMembership(domain.Membership{}, domain.Actor{}, nil); return err },
		func() error { _, err := domain.DecideProject(domain.Project{}, domain.Actor{}, nil); return err },
		func() error { _, err := domain.DecideTask(domain.Task{}, domain.Actor{}, nil); return err },
		func() error { _, err := domain.DecideAPIKey(domain.APIKey{}, domain.Actor{}, nil); return err },
		func() error { _, err := domain.DecideComment(domain.Comment{}, domain.Actor{}, nil); return err },
	} {
		if err := decide(); err == nil || domain.CodeOf(err) != domain.CodeInternal {
			t.Errorf("no command at all: %v", err)
		}
	}
}

// The system has no role, so it may do only what needs none.
func TestSystemHasNoRole(t *testing.T) {
	t.Parallel()
	var system domain.Actor
	p := projectAt(t, domain.Draft)
	p.OwnerID = system.ID
	for _, c := range []domain.ProjectCommand{
		domain.CreateProject{Name: "Q", Visibility: domain.Private}, domain.EditProject{}, domain.MoveProject{To: domain.Submitted}, domain.DeleteProject{},
	} {
		if _, err := domain.DecideProject(p, system, c); domain.CodeOf(err) != domain.CodeInsufficientRole {
			t.Errorf("%T by the system: %v", c, err)
		}
	}
	m := domain.Membership{Active: true, Role: domain.Member, Version: 1}
	if _, err := domain.DecideMembership(m, system, domain.RemoveMember{}); domain.CodeOf(err) != domain.CodeInsufficientRole {
		t.Errorf("the system left as a member: %v", err)
	}
}
