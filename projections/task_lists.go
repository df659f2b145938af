package projections

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"docket/domain"
)

// A list of tasks goes through an index in the list's order until the page is full, and
// looks at each task on the way. Where a filter that is asked for lets only few tasks pass,
// this would be a way through the whole tenant. So a statement first asks whether a filter
// lets at most fewTasks pass; if so it reads these by the filter's own index and sorts them.
//
//	g        the generations that are read
//	many     does the filter's index have more than fewTasks?
//	few      if not: read them by that index, sort them
//	walk     if so: go through the order's index until the page is full
//
// The indexes of the orders by updated_at, due_date, priority and title begin with the
// status, of which there are three. A walk merges three orders, or those that were asked
// for: most tasks of an old tenant are done, and to look for the others among them would
// take long.
const fewTasks = 1_000

// taskFilterKind is a filter by whose index few tasks can be read.
type taskFilterKind int

const (
	noFilter taskFilterKind = iota
	projectFilter
	assigneeFilter
	creatorFilter
	priorityFilter
	updatedFilter
	dueFilter
	unassignedFilter
)

// taskWalk is the index that a walk goes through.
type taskWalk int

const (
	throughAll     taskWalk = iota
	throughProject          // one project's by created_at
	throughAssignee
	throughCreator
	throughFacets // by created_at or priority, those of some statuses and priorities
)

// taskPlan is what decides over the statement of a list of tasks.
type taskPlan struct {
	order Order
	walk  taskWalk
	// few are at most two filters that are asked whether they let few tasks pass.
	few [2]taskFilterKind
	// matching: those that match docket.search.
	matching bool
}

var taskSortings = map[Sort]sorting[domain.Task]{
	ByCreated: {times, []string{"t.created_at"}, func(t *domain.Task) place { return place{at: t.CreatedAt, id: t.ID.UUID()} }},
	ByUpdated: {times, []string{"t.updated_at"}, func(t *domain.Task) place { return place{at: t.UpdatedAt, id: t.ID.UUID()} }},
	ByDue:     {texts, []string{dueKey}, func(t *domain.Task) place { return place{text: dueValue(t.DueDate), id: t.ID.UUID()} }},
	ByTitle:   {texts, []string{"t.title"}, func(t *domain.Task) place { return place{text: t.Title, id: t.ID.UUID()} }},
	ByPriority: {ranks, []string{urgency, "t.created_at"}, func(t *domain.Task) place {
		return place{number: urgencyOf(t.Priority), at: t.CreatedAt, id: t.ID.UUID()}
	}},
}

// urgency is the rank of a task's priority, the index of domain.Priorities, in SQL; the
// index tasks_by_status has the same expression.
const urgency = `(case t.priority when 'low' then 0 when 'normal' then 1 when 'high' then 2 when 'urgent' then 3 end)`

func urgencyOf(p domain.Priority) int {
	for i, other := range domain.Priorities() {
		if p == other {
			return i
		}
	}
	return -1
}

// taskConditions are those of a TaskFilter by its arguments ($2 to $11), and of a project
// that is there. Where there is one more (also), it is asked before the project is looked
// up. Each says first whether it is asked for, also those that always are: so none is a
// condition of an index, and the plan goes by the index that it is meant to.
func taskConditions(also, inProject string) string {
	if also == "" {
		also = "true"
	}
	return `($2::uuid[] is null or t.project_id = any ($2::uuid[]))
  and ($3::uuid[] is null or t.assignee_id = any ($3::uuid[]) or $4::boolean and t.assignee_id is null)
  and ($5::uuid[] is null or t.created_by = any ($5::uuid[]))
  and ($6::text[] is null or t.status = any ($6::text[]))
  and ($7::integer[] is null or ` + urgency + ` = any ($7::integer[]))
  and ($8::text[] is null or t.labels ?| $8::text[])
  and ($9::text is null or ` + dueKey + ` > $9::text)
  and ($10::text is null or ` + dueKey + ` < $10::text)
  and ($11::timestamptz is null or t.updated_at >= $11::timestamptz)
  and case when ` + also + ` then ` + inProject + ` end`
}

// inListed is inProject within a list's statement, which reads the generation once.
const inListed = `(select true from projects p
  where p.tenant_id = $1 and p.generation = (select g.projects from g) and p.id = t.project_id)`

// The parameters of a list after those of taskConditions.
const taskValue, taskID, taskLimit = "$12", "$13", "$14"

// taskStatements are the statements by their plans, made when they are first used.
var taskStatements sync.Map

// sql lists the tasks of a tenant ($1) under taskConditions after a keyset ($12, $13), up
// to $14.
func (p taskPlan) sql() string {
	if text, ok := taskStatements.Load(p); ok {
		return text.(string)
	}
	text := p.make()
	taskStatements.Store(p, text)
	return text
}

func (p taskPlan) make() string {
	s := taskSortings[p.order.By]
	var (
		first  = []string{`g as materialized (select ` + tasks.generation("$1") + ` as tasks, ` + projects.generation("$1") + ` as projects)`}
		leaves []string
		gate   = "true" // the filters so far let many tasks pass
	)
	for i, kind := range p.few {
		if kind == noFilter {
			break
		}
		name := "many" + strconv.Itoa(i+1)
		first = append(first, name+` as materialized (select count(*) > `+strconv.Itoa(fewTasks)+` as so from (`+kind.few("")+`) t)`)
		leaves = append(leaves, p.leaf(s, `(`+kind.few("t.*")+`) t
  where `+gate+` and not (select m.so from `+name+` m)`, s.after(p.order, taskValue, taskID), s.orderBy(p.order)))
		gate += ` and (select m.so from ` + name + ` m)`
	}
	leaves = append(leaves, p.walks(s, gate)...)
	return "with " + strings.Join(first, ",\n") + `
select ` + tasks.columns("t.") + ` from (` + strings.Join(leaves, "\nunion all\n") + `) t
order by ` + keyNames(len(s.columns), p.order) + ` limit ` + taskLimit
}

// keyNames is the order of the leaves' rows.
func keyNames(n int, o Order) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("t.k%d %s", i, o.direction()))
	}
	return strings.Join(append(list, "t.id "+o.direction()), ", ")
}

// tasksWhere are the tasks of a tenant ($1).
const tasksWhere = `tasks t where t.tenant_id = $1 and t.generation = (select g.tasks from g) and `

// leaf is one of the statements that a list is put together from, in the list's order. Its
// rows have the sort values too.
func (p taskPlan) leaf(s sorting[domain.Task], from, after, order string, constants ...string) string {
	columns := tasks.columns("t.")
	for i, c := range s.columns {
		if i < len(constants) {
			c = constants[i]
		}
		columns += fmt.Sprintf(", %s as k%d", c, i)
	}
	also := ""
	if p.matching {
		also = taskMatches
	}
	return `(select ` + columns + ` from ` + from + `
  and ` + after + `
  and ` + taskConditions(also, inListed) + `
  order by ` + order + ` limit ` + taskLimit + `)`
}

// few reads what a filter lets pass, and no more than fewTasks and one, value by value in
// the order of the filter's index. So this index is taken, whatever the planner knows of the
// table: a condition with several values would hide the order.
func (k taskFilterKind) few(columns string) string {
	limit := ` limit ` + strconv.Itoa(fewTasks+1)
	each := func(values, condition, order string) string {
		return `select ` + columns + ` from ` + values + `, lateral (
    select ` + columns + ` from ` + tasksWhere + condition + ` order by ` + order + limit + `) t` + limit
	}
	// Of these indexes the status is the first column.
	const statuses = `unnest(coalesce($6::text[], array['todo', 'in_progress', 'done'])) as s (status)`
	switch k {
	case projectFilter:
		return each(`unnest($2::uuid[]) as v (id)`, `t.project_id = v.id`, `t.created_at, t.id`)
	case assigneeFilter:
		return each(`unnest($3::uuid[]) as v (id)`, `t.assignee_id = v.id`, `t.created_at, t.id`)
	case creatorFilter:
		return each(`unnest($5::uuid[]) as v (id)`, `t.created_by = v.id`, `t.created_at, t.id`)
	case priorityFilter:
		return each(statuses+`, unnest($7::integer[]) as v (rank)`, `t.status = s.status and `+urgency+` = v.rank`, `t.created_at, t.id`)
	case updatedFilter:
		return each(statuses, `t.status = s.status and t.updated_at >= $11::timestamptz`, `t.updated_at, t.id`)
	case dueFilter:
		return each(statuses, `t.status = s.status and `+dueKey+` > $9::text and `+dueKey+` < $10::text`, dueKey+`, t.id`)
	}
	return `select ` + columns + ` from ` + tasksWhere + `t.assignee_id is null order by t.assignee_id, t.created_at, t.id` + limit
}

func statusNames() []string {
	var list []string
	for _, s := range domain.TaskStatuses() {
		list = append(list, string(s))
	}
	return list
}

// walks are the leaves that go through the order's indexes where gate is true.
func (p taskPlan) walks(s sorting[domain.Task], gate string) []string {
	after, order := s.after(p.order, taskValue, taskID), s.orderBy(p.order)
	one := func(condition string) []string {
		return []string{p.leaf(s, tasksWhere+condition+` and `+gate, after, order)}
	}
	switch p.walk {
	case throughProject:
		return one(`t.project_id = ($2::uuid[])[1]`)
	case throughAssignee:
		return one(`t.assignee_id = ($3::uuid[])[1]`)
	case throughCreator:
		return one(`t.created_by = ($5::uuid[])[1]`)
	case throughFacets:
		return p.facetWalks(s, gate)
	}
	if p.order.By == ByCreated {
		return one(`true`)
	}
	var list []string
	for _, status := range statusNames() {
		list = append(list, p.leaf(s, tasksWhere+`t.status = '`+status+`'`+p.ending()+`
  and `+gate+` and ($6::text[] is null or '`+status+`' = any ($6::text[]))`, after, order))
	}
	return list
}

// ending ends a walk by what the list is ordered by where the filter does; the beginning is
// its keyset (taskStart).
func (p taskPlan) ending() string {
	switch {
	case p.order.By == ByDue && p.order.Descending:
		return ` and ` + dueKey + ` > $9::text`
	case p.order.By == ByDue:
		return ` and ` + dueKey + ` < $10::text`
	case p.order.By == ByUpdated && p.order.Descending:
		return ` and t.updated_at >= $11::timestamptz`
	}
	return ""
}

// facetWalks are those of each status and priority, by created_at.
func (p taskPlan) facetWalks(s sorting[domain.Task], gate string) []string {
	created := taskSortings[ByCreated]
	var list []string
	for _, status := range statusNames() {
		for rank := range domain.Priorities() {
			r := strconv.Itoa(rank)
			from := tasksWhere + `t.status = '` + status + `' and ` + urgency + ` = ` + r + ` and ` + gate + `
  and ($6::text[] is null or '` + status + `' = any ($6::text[])) and ($7::integer[] is null or ` + r + ` = any ($7::integer[]))`
			after := created.after(p.order, taskValue, taskID)
			if s.values == ranks {
				// Within the keyset's rank from its time on; all of the ranks beyond.
				beyond := r + " " + p.order.beyond() + " " + rankOf(taskValue)
				start := created.values.start(p.order.Descending)
				after = `not ` + rankOf(taskValue) + ` ` + p.order.beyond() + ` ` + r + `
  and (t.created_at, t.id) ` + p.order.beyond() + ` (case when ` + beyond + ` then '` + start.Value + `'::timestamptz else ` + timeOf(taskValue) + ` end,
    case when ` + beyond + ` then '` + start.ID.String() + `'::uuid else ` + taskID + `::uuid end)`
				list = append(list, p.leaf(s, from, after, created.orderBy(p.order), r))
				continue
			}
			list = append(list, p.leaf(s, from, after, created.orderBy(p.order)))
		}
	}
	return list
}
