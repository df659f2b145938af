package domain_test

import (
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
		},
	})
}

func TestUserFold(t *testing.T) {
	t.Parallel()
	want := domain.User{
		ID: person(1), Email: "one@example.org", Name: "Person 1", CreatedAt: moment(1), Version: 1,
	}
	if diff := cmp.Diff(want, fold[domain.User](t, users.stream, users.author, userRegistered())); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
