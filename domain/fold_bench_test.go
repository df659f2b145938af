package domain_test

import (
	"strconv"
	"testing"

	"docket/domain"
)

// edits is a task's history: created, then n changes of its status.
func edits(n int) []domain.Event {
	events := []domain.Event{taskCreated()}
	status := [2]string{`"todo"`, `"in_progress"`}
	for i := range n {
		events = append(events, taskUpdated("Survey", ptr(person(5)),
			domain.Change{Field: "status", From: []byte(status[i%2]), To: []byte(status[(i+1)%2])})...)
	}
	return events
}

// BenchmarkFold folds an aggregate that isn't in the cache from its decoded events.
func BenchmarkFold(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run("events="+strconv.Itoa(n), func(b *testing.B) {
			var history []domain.Recorded
			for i, e := range edits(n - 1) {
				history = append(history, record(b, domain.Stream(domain.TaskStream, taskID), i+1, actor(1, domain.Member), e))
			}
			b.ReportAllocs()
			for b.Loop() {
				var t domain.Task
				for _, r := range history {
					var err error
					if t, err = t.Evolve(r); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkEncode encodes an event, as every append does.
func BenchmarkEncode(b *testing.B) {
	for _, e := range []domain.Event{taskCreated(), edits(1)[1], projectCreated(), joined(domain.Member)} {
		b.Run("type="+e.EventType(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := domain.Encode(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode decodes an event, as every read of a stream and of a page does.
func BenchmarkDecode(b *testing.B) {
	for _, e := range []domain.Event{taskCreated(), edits(1)[1], projectCreated(), joined(domain.Member)} {
		b.Run("type="+e.EventType(), func(b *testing.B) {
			d, data, err := domain.Encode(e)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.Decode(d.Type, d.Version, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecide decides the most frequent commands.
func BenchmarkDecide(b *testing.B) {
	owner := actor(1, domain.Owner)
	project := fold[domain.Project](b, domain.Stream(domain.ProjectStream, projectID), owner, projectCreated())
	task := fold[domain.Task](b, domain.Stream(domain.TaskStream, taskID), owner, edits(0)...)
	for name, decide := range map[string]func() ([]domain.Event, error){
		"create-task": func() ([]domain.Event, error) {
			return domain.DecideTask(domain.Task{}, owner, domain.CreateTask{
				ID: taskID, Project: project, Title: "Survey", Priority: domain.High, Labels: []string{"sea"},
			})
		},
		"edit-task": func() ([]domain.Event, error) {
			return domain.DecideTask(task, owner, domain.EditTask{
				Project: project, Status: domain.Edit[domain.TaskStatus]{Set: true, Value: domain.Done},
			})
		},
		"move-project": func() ([]domain.Event, error) {
			return domain.DecideProject(project, owner, domain.MoveProject{To: domain.Submitted})
		},
	} {
		b.Run("command="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if events, err := decide(); err != nil || len(events) != 1 {
					b.Fatal(len(events), err)
				}
			}
		})
	}
}
