// Command story uses the Go client that oapi-codegen makes of Docket's document, as a
// program of a user would. It takes the server's address.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"story/api"
)

func main() {
	if err := story(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "story:", err)
		os.Exit(1)
	}
	fmt.Println("the story in Go: as told")
}

func story(server string) error {
	ctx := context.Background()
	anyone, err := api.NewClientWithResponses(server)
	if err != nil {
		return err
	}
	const password = "correct horse battery"
	for _, name := range []string{"ann", "gopher"} {
		user, err := anyone.RegisterWithResponse(ctx, nil, api.RegisterJSONRequestBody{Email: name + "@example.org", Password: password, Name: name})
		if err != nil {
			return err
		}
		if user.JSON201 == nil && user.ApplicationproblemJSON409 == nil { // the other story may have come first
			return fmt.Errorf("register: %s", user.Body)
		}
	}
	login, err := anyone.LoginWithResponse(ctx, api.LoginJSONRequestBody{Email: "gopher@example.org", Password: password})
	if err != nil || login.JSON200 == nil {
		return fmt.Errorf("login: %w: %s", err, login.Body)
	}
	slug := "gophers"
	gopher, err := api.NewClientWithResponses(server, api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+login.JSON200.AccessToken)
		req.Header.Set("X-Tenant-Slug", slug)
		return nil
	}))
	if err != nil {
		return err
	}
	tenant, err := gopher.CreateTenantWithResponse(ctx, nil, api.NewTenant{Name: "Gophers", Slug: slug})
	if err != nil || tenant.JSON201 == nil || tenant.JSON201.Role != api.RoleOwner {
		return fmt.Errorf("create a tenant: %w: %s", err, tenant.Body)
	}

	project, err := gopher.CreateProjectWithResponse(ctx, nil, api.NewProject{Name: "Website"})
	if err != nil || project.JSON201 == nil || project.JSON201.Status != api.ProjectStatusDraft {
		return fmt.Errorf("create a project: %w: %s", err, project.Body)
	}
	key := "a key of the story"
	var task *api.Task
	for _, title := range []string{"Write the front page", "Draw the logo", "Draw the logo"} { // the last is a repeat
		key := key + title
		created, err := gopher.CreateTaskWithResponse(ctx, project.JSON201.Id, &api.CreateTaskParams{IdempotencyKey: &key}, api.NewTask{Title: title})
		if err != nil || created.JSON201 == nil || created.JSON201.Priority != api.PriorityNormal {
			return fmt.Errorf("create a task: %w: %s", err, created.Body)
		}
		task = created.JSON201
	}
	comment, err := gopher.CreateCommentWithResponse(ctx, task.Id, nil, api.NewComment{Body: "Ready on Friday"})
	if err != nil || comment.JSON201 == nil {
		return fmt.Errorf("comment: %w: %s", err, comment.Body)
	}

	limit, titles := api.LimitParam(1), []string{}
	for params := (api.ListProjectTasksParams{Limit: &limit}); ; {
		page, err := gopher.ListProjectTasksWithResponse(ctx, project.JSON201.Id, &params)
		if err != nil || page.JSON200 == nil {
			return fmt.Errorf("list tasks: %w: %s", err, page.Body)
		}
		for _, t := range page.JSON200.Items {
			titles = append(titles, t.Title)
		}
		if params.Cursor = nextCursor(page.JSON200); params.Cursor == nil {
			break
		}
	}
	if len(titles) != 2 {
		return fmt.Errorf("the pages have the tasks %q", titles)
	}

	urgent, done := api.PriorityUrgent, api.TaskStatusDone
	edited, err := gopher.EditTaskWithResponse(ctx, task.Id, nil, api.EditTask{Priority: &urgent})
	if err != nil || edited.JSON200 == nil || edited.JSON200.Version != task.Version+1 {
		return fmt.Errorf("edit a task: %w: %s", err, edited.Body)
	}
	stale := fmt.Sprintf("%q", fmt.Sprint(task.Version))
	refused, err := gopher.EditTaskWithResponse(ctx, task.Id, &api.EditTaskParams{IfMatch: &stale}, api.EditTask{Status: &done})
	if err != nil {
		return err
	}
	problem := refused.ApplicationproblemJSON412
	if problem == nil || problem.Code != api.ProblemCodeVersionConflict || problem.CurrentVersion == nil || *problem.CurrentVersion != edited.JSON200.Version {
		return fmt.Errorf("an edit of an old version: %s", refused.Body)
	}
	return nil
}
