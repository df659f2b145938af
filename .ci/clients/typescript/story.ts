// Uses the types that openapi-typescript makes of Docket's document, with openapi-fetch, as
// a program of a user would. It takes the server's address.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Task = components["schemas"]["Task"];
type Problem = components["schemas"]["Problem"];

function told<T>(step: string, answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(`${step}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

function expect(step: string, holds: boolean): void {
  if (!holds) throw new Error(`${step}: not as told`);
}

const [, , baseUrl] = process.argv;
if (baseUrl === undefined) throw new Error("the address of a server is needed");
const anyone = createClient<paths>({ baseUrl });
const password = "correct horse battery";
for (const name of ["ann", "tess"]) {
  const { data, error } = await anyone.POST("/v1/auth/register", { body: { email: `${name}@example.org`, password, name } });
  expect("register", data !== undefined || error.code === "email-taken"); // the other story may have come first
}
const session = told("login", await anyone.POST("/v1/auth/login", { body: { email: "tess@example.org", password } }));
const tess = createClient<paths>({
  baseUrl,
  headers: { Authorization: `Bearer ${session.access_token}`, "X-Tenant-Slug": "testers" },
});
const tenant = told("create a tenant", await tess.POST("/v1/tenants", { body: { name: "Testers", slug: "testers" } }));
expect("create a tenant", tenant.role === "owner");

const project = told("create a project", await tess.POST("/v1/projects", { body: { name: "Website" } }));
expect("create a project", project.status === "draft" && project.due_date === null);
const inProject = { path: { id: project.id } };
let task: Task | undefined;
for (const title of ["Write the front page", "Draw the logo", "Draw the logo"]) { // the last is a repeat
  task = told("create a task", await tess.POST("/v1/projects/{id}/tasks", {
    params: { ...inProject, header: { "Idempotency-Key": `a key of the story ${title}` } },
    body: { title },
  }));
}
if (task === undefined) throw new Error("no task");
const ofTask = { path: { id: task.id } };
told("comment", await tess.POST("/v1/tasks/{id}/comments", { params: ofTask, body: { body: "Ready on Friday" } }));

const titles: string[] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const query = cursor === undefined ? { limit: 1 } : { limit: 1, cursor };
  const page: components["schemas"]["TaskPage"] = told("list tasks",
    await tess.GET("/v1/projects/{id}/tasks", { params: { ...inProject, query } }));
  titles.push(...page.items.map((t) => t.title));
  cursor = page.next_cursor;
}
expect(`the pages have the tasks ${titles}`, titles.length === 2);

const edited = told("edit a task", await tess.PATCH("/v1/tasks/{id}", { params: ofTask, body: { priority: "urgent", due_date: null } }));
expect("edit a task", edited.version === task.version + 1);
const stale = await tess.PATCH("/v1/tasks/{id}", {
  params: { ...ofTask, header: { "If-Match": `"${task.version}"` } },
  body: { status: "done" },
});
const problem: Problem | undefined = stale.error;
expect("an edit of an old version", problem?.code === "version-conflict" && problem.current_version === edited.version);
console.log("the story in TypeScript: as told");
