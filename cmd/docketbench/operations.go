package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
)

// opMix is all operations in the shares of mix.
const opMix = "mix"

// mix is a day's work in percent: more is read than written.
var mix = []struct {
	op      string
	percent int
}{{"get-task", 30}, {"get-project", 20}, {"list-tasks", 20}, {"list-projects", 10}, {"create-task", 12}, {"transition", 8}}

// operations are those that can be measured, by name. Each makes the next request of
// one connection.
var operations = map[string]func(*desk) request{
	"create-task":   (*desk).createTask,
	"transition":    (*desk).transition,
	"get-project":   func(d *desk) request { return get("/v1/projects/" + d.any(d.tenant.projects)) },
	"get-task":      func(d *desk) request { return get("/v1/tasks/" + d.any(d.tenant.tasks)) },
	"list-projects": func(*desk) request { return get("/v1/projects?limit=50") },
	"list-tasks":    func(d *desk) request { return get("/v1/projects/" + d.tenant.projects[0] + "/tasks?limit=50") },
}

func operationNames() []string { return slices.Sorted(maps.Keys(operations)) }

// desk is where one connection works: in one tenant, and writing to one project.
type desk struct {
	tenant  *tenant
	project *ownProject
	random  *rand.Rand
	created int
}

// nextStatus moves a project from draft to active, and then between active and on hold.
var nextStatus = map[string]string{
	"draft": "submitted", "submitted": "approved", "approved": "active", "active": "on_hold", "on_hold": "active",
}

const taskBody = `{"title":"Survey the foundations %d","description":"By boat, before the winter","priority":"normal","labels":["sea"]}`

func (d *desk) createTask() request {
	d.created++
	return post("/v1/projects/"+d.project.id+"/tasks", fmt.Sprintf(taskBody, d.created), http.StatusCreated)
}

func (d *desk) transition() request {
	to := nextStatus[d.project.status]
	r := post("/v1/projects/"+d.project.id+"/transitions", `{"to":"`+to+`"}`, http.StatusOK)
	r.done = func() { d.project.status = to }
	return r
}

func (d *desk) any(ids []string) string { return ids[d.random.IntN(len(ids))] }

// next makes the next request of an operation, or of the mix.
func (d *desk) next(op string) request {
	if op != opMix {
		return operations[op](d)
	}
	n := d.random.IntN(100)
	for _, share := range mix {
		if n -= share.percent; n < 0 {
			return operations[share.op](d)
		}
	}
	panic("the shares of the mix aren't 100 percent")
}
