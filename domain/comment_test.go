package domain_test

import (
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

// The tests' comments are by person 7, on the task of person 4 in the project of
// person 1.
var comments = subject[domain.Comment, domain.CommentCommand]{
	stream: domain.Stream(domain.CommentStream, commentID),
	author: actor(7, domain.Member),
	decide: domain.DecideComment,
}

func commentCreated(body string, mentions ...domain.UserID) domain.CommentCreated {
	return domain.CommentCreated{
		CommentID: commentID, TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1),
		Title: "Survey", AssigneeID: ptr(person(5)), Body: body, Mentions: append([]domain.UserID{}, mentions...),
	}
}

func commentUpdated(from, to string, mentions ...domain.UserID) domain.CommentUpdated {
	return domain.CommentUpdated{
		CommentID: commentID, TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1),
		Title: "Survey", AssigneeID: ptr(person(5)), Mentions: append([]domain.UserID{}, mentions...),
		Changes: []domain.Change{{Field: "body", From: []byte(`"` + from + `"`), To: []byte(`"` + to + `"`)}},
	}
}

func commentDeleted() domain.CommentDeleted {
	return domain.CommentDeleted{
		CommentID: commentID, TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1), Title: "Survey",
	}
}

// surveyed is the task of the comments.
func surveyed(t tester, more ...domain.Event) domain.Task {
	t.Helper()
	return fold[domain.Task](t, tasks.stream, tasks.author, append([]domain.Event{taskCreated()}, more...)...)
}

func TestCommentCreate(t *testing.T) {
	t.Parallel()
	by, task, active := actor(7, domain.Member), surveyed(t), projectAt(t, domain.Active)
	say := domain.CreateComment{ID: commentID, Task: task, Project: active, Body: "Too deep"}
	with := func(change func(*domain.CreateComment)) domain.CreateComment {
		c := say
		change(&c)
		return c
	}
	gone := membership(6, domain.Member)
	gone.Active = false
	comments.run(t, []scenario[domain.CommentCommand]{
		{name: "create", by: by, when: say, then: []domain.Event{commentCreated("Too deep")}},
		{
			name: "mentions: each once, oneself and viewers too, those who left not", by: by,
			when: with(func(c *domain.CreateComment) {
				c.Mentioned = []domain.Membership{
					membership(2, domain.Viewer), membership(7, domain.Member), gone, membership(2, domain.Viewer), {},
				}
			}),
			then: []domain.Event{commentCreated("Too deep", person(2), person(7))},
		},
		{name: "create as viewer", by: actor(7, domain.Viewer), when: say, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Member, "your_role": domain.Viewer}},
		{name: "create as auditor", by: actor(7, domain.Auditor), when: say, refused: domain.CodeInsufficientRole},
		{name: "create twice", given: []domain.Event{commentCreated("x")}, by: by, when: say, refused: domain.CodeConcurrentUpdate},
		{name: "on no task", by: by, when: with(func(c *domain.CreateComment) { c.Task = domain.Task{} }), refused: domain.CodeNotFound},
		{name: "on a deleted task", by: by, when: with(func(c *domain.CreateComment) { c.Task = surveyed(t, taskDeleted()) }), refused: domain.CodeNotFound},
		{name: "in a deleted project", by: by, when: with(func(c *domain.CreateComment) { c.Project.Deleted = true }), refused: domain.CodeNotFound},
		{name: "in another project than the task's", by: by,
			when: with(func(c *domain.CreateComment) { c.Project.ID = domain.ProjectID(nth(77)) }), refused: domain.CodeNotFound},
		{name: "nothing said", by: by, when: with(func(c *domain.CreateComment) { c.Body = "" }), refused: domain.CodeValidationFailed, at: "/body"},
		{name: "only white space", by: by, when: with(func(c *domain.CreateComment) { c.Body = " \n\t" }), refused: domain.CodeValidationFailed, at: "/body"},
		{name: "too much", by: by, when: with(func(c *domain.CreateComment) { c.Body = strings.Repeat("x", 4001) }), refused: domain.CodeValidationFailed, at: "/body"},
		{name: "with a NUL", by: by, when: with(func(c *domain.CreateComment) { c.Body = "a\x00" }), refused: domain.CodeValidationFailed, at: "/body"},
	})
	for _, s := range domain.Statuses() {
		c := say
		c.Project = projectAt(t, s.Name)
		_, err := domain.DecideComment(domain.Comment{}, by, c)
		if closed := domain.CodeOf(err) == domain.CodeProjectClosed; closed != s.Closed || !closed && err != nil {
			t.Errorf("in a project that is %s: %v", s.Name, err)
		}
	}
}

func TestCommentEdit(t *testing.T) {
	t.Parallel()
	by, given := actor(7, domain.Member), []domain.Event{commentCreated("Too deep", person(2))}
	edit := func(body string, mentioned ...domain.Membership) domain.EditComment {
		return domain.EditComment{Task: surveyed(t), Project: projectAt(t, domain.Active), Body: domain.To(body), Mentioned: mentioned}
	}
	matching := edit("Deep enough")
	matching.IfMatch = domain.IfVersion(1)
	nothing := edit("")
	nothing.Body = domain.Edit[string]{}
	comments.run(t, []scenario[domain.CommentCommand]{
		{name: "one's own", given: given, by: by, when: matching, then: []domain.Event{commentUpdated("Too deep", "Deep enough")}},
		{
			name: "only those are mentioned who weren't before", given: given, by: by,
			when: edit("Deep enough", membership(2, domain.Member), membership(3, domain.Owner)),
			then: []domain.Event{commentUpdated("Too deep", "Deep enough", person(3))},
		}, {
			name: "nor those whom an edit mentioned", by: by,
			given: append(given, commentUpdated("Too deep", "@three", person(3))),
			when:  edit("Deep enough", membership(2, domain.Member), membership(3, domain.Owner)),
			then:  []domain.Event{commentUpdated("@three", "Deep enough")},
		},
		{name: "to what it is, though somebody else is a member now", given: given, by: by, when: edit("Too deep", membership(3, domain.Owner))},
		{name: "nothing", given: given, by: by, when: nothing},
		{name: "null clears nothing that is needed", given: given, by: by, when: edit(""), refused: domain.CodeValidationFailed, at: "/body"},
		{name: "another's as member", given: given, by: actor(4, domain.Member), when: edit("x"), refused: domain.CodeNotYours},
		{name: "another's as owner", given: given, by: actor(3, domain.Owner), when: edit("x"), refused: domain.CodeNotYours},
		{
			name: "one's own, since made a viewer", given: given, by: actor(7, domain.Viewer), when: edit("x"),
			refused: domain.CodeInsufficientRole, with: map[string]any{"required_role": domain.Member},
		},
		{name: "deleted", given: append(given, commentDeleted()), by: by, when: edit("x"), refused: domain.CodeNotFound},
		{
			name: "with another task in hand", given: given, by: by, refused: domain.CodeNotFound,
			when: domain.EditComment{Task: domain.Task{ID: domain.TaskID(nth(77)), ProjectID: projectID, Version: 1}, Project: projectAt(t, domain.Active), Body: domain.To("x")},
		},
		{
			name: "on a deleted task", given: given, by: by, refused: domain.CodeNotFound,
			when: domain.EditComment{Task: surveyed(t, taskDeleted()), Project: projectAt(t, domain.Active), Body: domain.To("x")},
		},
	})
}

func TestCommentDelete(t *testing.T) {
	t.Parallel()
	given := []domain.Event{commentCreated("Too deep")}
	remove := domain.DeleteComment{Task: surveyed(t), Project: projectAt(t, domain.Active)}
	matching := remove
	matching.IfMatch = domain.IfVersion(1)
	comments.run(t, []scenario[domain.CommentCommand]{
		{name: "one's own as member", given: given, by: actor(7, domain.Member), when: matching, then: []domain.Event{commentDeleted()}},
		{name: "any as manager", given: given, by: actor(2, domain.Manager), when: remove, then: []domain.Event{commentDeleted()}},
		{name: "another's as member", given: given, by: actor(4, domain.Member), when: remove, refused: domain.CodeNotYours},
		{name: "another's as auditor", given: given, by: actor(8, domain.Auditor), when: remove, refused: domain.CodeInsufficientRole},
		{name: "twice", given: append(given, commentDeleted()), by: actor(7, domain.Member), when: remove, refused: domain.CodeNotFound},
	})
}

func TestCommentFold(t *testing.T) {
	t.Parallel()
	got := fold[domain.Comment](t, comments.stream, comments.author,
		commentCreated("Too deep", person(2)), commentUpdated("Too deep", "Deep enough", person(3)), commentDeleted())
	want := domain.Comment{
		ID: commentID, TaskID: taskID, ProjectID: projectID, Body: "Deep enough", AuthorID: person(7),
		Mentions:  []domain.UserID{person(2), person(3)},
		CreatedAt: moment(1), UpdatedAt: moment(3), Deleted: true, Version: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// The longest edit of a comment, whose event contains the body twice, fits the log's
// 48 KiB with the most mentions.
func TestLongestCommentEditFitsTheLog(t *testing.T) {
	t.Parallel()
	var crowd []domain.Membership
	for n := range domain.MaxMentions {
		crowd = append(crowd, membership(10+n, domain.Member))
	}
	for _, r := range []string{"x", "é", "漢", "🚢", "<", `"`, `\`, "\n", "\u2028", "\ufffd"} {
		long := func(n int, last string) string { return "z" + strings.Repeat(r, n-2) + last }
		p := domain.Project{ID: projectID, Name: long(domain.MaxName, "1"), Status: domain.Active, OwnerID: person(1), Version: 1}
		task := domain.Task{ID: taskID, ProjectID: projectID, Title: long(domain.MaxName, "1"), AssigneeID: ptr(person(5)), Version: 1}
		comment := domain.Comment{
			ID: commentID, TaskID: taskID, ProjectID: projectID, Body: long(domain.MaxDescription, "1"), AuthorID: person(7), Version: 1,
		}
		events, err := domain.DecideComment(comment, comments.author, domain.EditComment{
			Task: task, Project: p, Body: domain.To(long(domain.MaxDescription, "2")), Mentioned: crowd,
		})
		if err != nil || len(events) != 1 {
			t.Fatalf("%q: %v, %v", r, events, err)
		}
		_, data, err := domain.Encode(events[0])
		if err != nil || len(data) > 48<<10 {
			t.Errorf("full of %q: %d octets, %v", r, len(data), err)
		}
	}
}
