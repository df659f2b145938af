package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// opMix is not one operation but shares of them all.
const opMix = "mix"

// defaultMix is a day's work: more is read than written.
const defaultMix = "get-task=30,get-project=20,list-tasks=20,list-projects=10,create-task=12,transition=8"

// request is what one operation asks for.
type request struct {
	method, path string
	body         string
	// want is the status of success.
	want int
	// done is told that the request succeeded; nil: nobody needs to know.
	done func()
}

// operations are those that can be measured, by name. Each makes the next request
// of one connection.
var operations = map[string]func(*desk) request{
	"create-task":   (*desk).createTask,
	"transition":    (*desk).transition,
	"get-project":   (*desk).getProject,
	"get-task":      (*desk).getTask,
	"list-projects": (*desk).listProjects,
	"list-tasks":    (*desk).listTasks,
}

func operationNames() []string { return slices.Sorted(maps.Keys(operations)) }

// desk is where one connection works: in one tenant, writing to one project of its own.
type desk struct {
	company *company
	// project is moved through the workflow, and gets the new tasks.
	project *ownProject
	random  *rand.Rand
	created int
}

// ownProject is a project that one connection writes to.
type ownProject struct{ id, status string }

// nextStatus leads a project from its draft into work, and then to and fro.
var nextStatus = map[string]string{
	"draft": "submitted", "submitted": "approved", "approved": "active", "active": "on_hold", "on_hold": "active",
}

const taskBody = `{"title":"Survey the foundations %d","description":"By boat, before the winter","priority":"normal","labels":["sea"]}`

func (d *desk) createTask() request {
	d.created++
	return request{method: http.MethodPost, path: "/v1/projects/" + d.project.id + "/tasks", body: fmt.Sprintf(taskBody, d.created), want: http.StatusCreated}
}

func (d *desk) transition() request {
	to := nextStatus[d.project.status]
	return request{
		method: http.MethodPost, path: "/v1/projects/" + d.project.id + "/transitions", body: `{"to":"` + to + `"}`, want: http.StatusOK,
		done: func() { d.project.status = to },
	}
}

func (d *desk) getProject() request { return get("/v1/projects/" + d.any(d.company.projects)) }

func (d *desk) getTask() request { return get("/v1/tasks/" + d.any(d.company.tasks)) }

func (d *desk) listProjects() request { return get("/v1/projects?limit=50") }

func (d *desk) listTasks() request {
	return get("/v1/projects/" + d.company.listed + "/tasks?limit=50")
}

func (d *desk) any(ids []string) string { return ids[d.random.IntN(len(ids))] }

func get(path string) request {
	return request{method: http.MethodGet, path: path, want: http.StatusOK}
}

// share is an operation's part of the mix.
type share struct {
	op     string
	weight int
}

// parseMix reads "get-task=90,create-task=10".
func parseMix(s string) ([]share, error) {
	var all []share
	for part := range strings.SplitSeq(s, ",") {
		op, text, _ := strings.Cut(part, "=")
		weight, err := strconv.Atoi(text)
		if _, ok := operations[op]; !ok || err != nil || weight < 1 {
			return nil, fmt.Errorf("--mix %q: %q isn't like get-task=90", s, part)
		}
		all = append(all, share{op, weight})
	}
	return all, nil
}

// mixed picks from the shares at random.
func mixed(shares []share) func(*desk) request {
	total := 0
	for _, s := range shares {
		total += s.weight
	}
	return func(d *desk) request {
		n := d.random.IntN(total)
		for _, s := range shares {
			if n -= s.weight; n < 0 {
				return operations[s.op](d)
			}
		}
		panic("shares don't add up")
	}
}
