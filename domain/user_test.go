package domain_test

import (
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

var users = subject[domain.User, domain.UserCommand]{
	stream: domain.Stream(domain.UserStream, person(1)),
	decide: func(u domain.User, _ domain.Actor, c domain.UserCommand) ([]domain.Event, error) {
		return domain.DecideUser(u, c)
	},
}

func userRegistered() domain.UserRegistered {
	return domain.UserRegistered{
		Email: domain.About(person(1), "one@example.org"), Name: domain.About(person(1), "Person 1"),
	}
}

func userRenamed(from, to string) domain.UserRenamed {
	return domain.UserRenamed{From: domain.About(person(1), from), Name: domain.About(person(1), to)}
}

func TestUser(t *testing.T) {
	t.Parallel()
	register := domain.RegisterUser{ID: person(1), Email: "one@example.org", Name: "Person 1"}
	users.run(t, []scenario[domain.UserCommand]{
		{name: "register", when: register, then: []domain.Event{userRegistered()}},
		{
			name: "register again", given: []domain.Event{userRegistered()},
			when: register, refused: domain.CodeEmailTaken,
		}, {
			name: "register with everything wrong",
			when: domain.RegisterUser{ID: person(1)}, refused: domain.CodeValidationFailed, at: "/email /name",
		}, {
			name: "register again, wrongly", given: []domain.Event{userRegistered()},
			when:    domain.RegisterUser{ID: person(1), Email: "one@example.org"},
			refused: domain.CodeValidationFailed, at: "/name",
		}, {
			name: "rename", given: []domain.Event{userRegistered()},
			when: domain.RenameUser{Name: domain.To("Person One")}, then: []domain.Event{userRenamed("Person 1", "Person One")},
		}, {
			name: "rename again", given: []domain.Event{userRegistered(), userRenamed("Person 1", "Person One")},
			when: domain.RenameUser{Name: domain.To("Person 1")}, then: []domain.Event{userRenamed("Person One", "Person 1")},
		}, {
			name: "rename to the present name", given: []domain.Event{userRegistered()}, when: domain.RenameUser{Name: domain.To("Person 1")},
		}, {
			name: "rename without a name", given: []domain.Event{userRegistered()}, when: domain.RenameUser{},
		}, {
			name: "null for a required member", given: []domain.Event{userRegistered()},
			when: domain.RenameUser{Name: domain.To("")}, refused: domain.CodeValidationFailed, at: "/name",
		}, {
			name: "rename an unknown user to a name that is too long", when: domain.RenameUser{Name: domain.To(strings.Repeat("x", 201))},
			refused: domain.CodeValidationFailed, at: "/name",
		}, {
			name: "rename an unknown user", when: domain.RenameUser{Name: domain.To("Person One")}, refused: domain.CodeNotFound,
		},
	})
}

func TestUserFold(t *testing.T) {
	t.Parallel()
	want := domain.User{
		ID: person(1), Email: "one@example.org", Name: "Person One", CreatedAt: moment(1), Version: 2,
	}
	got := fold[domain.User](t, users.stream, users.author, userRegistered(), userRenamed("Person 1", "Person One"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
