package main

// mutants are all there are. The texts are the code's own: when that changes, the
// program says which mutant has to be written anew.
var mutants = []mutant{
	{
		name: "the engine's sessions commit without waiting for the disk",
		edits: []edit{{
			"internal/postgres/pool.go",
			`		"jit":                           "off",`,
			`		"jit":                           "off",
		"synchronous_commit":            "off",`,
		}},
		test: "^TestFaults$", args: []string{"-faults.only=Postgres killed"},
	},
	{
		name: "a lost answer is taken for a refusal",
		edits: []edit{{
			"eventstore/errors.go",
			`		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	// The server answered`,
			`		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// The server answered`,
		}},
		test: "^TestFaults$", args: []string{"-faults.only=answers lost"},
	},
	{
		name: "the checkpoint is committed before the rows",
		edits: []edit{{
			"eventstore/feed/worker.go",
			`	switch answer, cause := w.deliver(ctx, conn, tx, p); answer {`,
			`	if _, err := tx.Exec(ctx, advanceSQL, t.UUID(), w.subscription, p.Generation, p.Events[len(p.Events)-1].Seq, false); err != nil {
		return failed, err
	}
	if err := tx.Commit(ctx); err != nil {
		return failed, err
	}
	if tx, err = conn.Begin(ctx); err != nil {
		return failed, err
	}
	p.Tx = tx
	switch answer, cause := w.deliver(ctx, conn, tx, p); answer {`,
		}},
		test: "^TestTakeover$",
	},
	{
		name: "a page that fails is skipped",
		edits: []edit{{
			"eventstore/feed/worker.go",
			`		return w.fail(ctx, p, at, p.last(), cause)
`,
			`		_, err := w.feed.cfg.Pool.Exec(ctx, advanceSQL, p.Tenant.UUID(), w.subscription, p.Generation, p.Events[len(p.Events)-1].Seq, false)
		return moreIsLeft, err
`,
		}},
		test: "^TestTakeover$",
	},
	{
		name: "a page is read without locking its checkpoint",
		edits: []edit{{
			"eventstore/feed/checkpoint.go",
			"\nfor no key update of c skip locked`",
			"`",
		}},
		test: "^TestTakeover$",
	},
	{
		name: "news only by wake-ups, without the sweep",
		edits: []edit{{
			"eventstore/feed/sweep.go",
			`	case <-t.C:
		return true
	case <-soon:`,
			`	case <-soon:`,
		}},
		test: "^TestTakeover$",
	},
	{
		name: "the checkpoint is advanced without the tenant in the condition",
		edits: []edit{{
			"eventstore/feed/checkpoint.go",
			`complete = complete or $5
where tenant_id = $1 and`,
			`complete = complete or $5
where $1::uuid is not null and`,
		}},
		test: "^TestTenantsStandApart$",
	},
	{
		name: "a command guards nothing but what it writes",
		edits: []edit{{
			"commands/attempt.go",
			`		if s := a.loaded[key]; !s.written {`,
			`		if s := a.loaded[key]; !s.written && s.version < 0 {`,
		}},
		test: "^Test(RevokedRoleIsNeverObeyed|OneOwnerIsAlwaysLeft)$",
	},
	{
		name: "seq comes from a sequence, not from the log's head",
		edits: []edit{
			{
				"migrations/0017_append_batch.sql",
				`  from (select coalesce(e.seq, 0) as seq,`,
				`  from (select nextval('seqs') as seq,`,
			},
			{
				"migrations/0002_events.sql",
				`    head := 0;
    at := clock_timestamp();
  end if;`,
				`    at := clock_timestamp();
  end if;
  head := nextval('seqs');`,
			},
			{
				"migrations/0002_events.sql",
				`grant execute on function append, append_one to docket_engine;`,
				`grant execute on function append, append_one to docket_engine;
create sequence seqs increment by 100;
grant usage on sequence seqs to docket_engine;`,
			},
		},
		test: "^TestDependentCommits$",
	},
	{
		name: "Commits that hang together share a batch",
		edits: []edit{{
			"eventstore/batch.go",
			` || !b.independent(w)) {`,
			`) {`,
		}},
		test: "^TestDependentCommits$",
	},
	{
		name: "a key is looked up first, and written later without looking",
		edits: []edit{
			{
				"migrations/0017_append_batch.sql",
				`        where exists (select from commands k where k.tenant_id = p_tenants[p_key_tenant[x.i]] and k.key_hash = p_key_hash[x.i])`,
				`        where false`,
			},
			{
				"migrations/0017_append_batch.sql",
				`        where accepted[p_key_commit[x.i]];`,
				`        where accepted[p_key_commit[x.i]]
        on conflict do nothing;`,
			},
		},
		test: "^TestOneKeyHasOneEffect$",
	},
	{
		name: "what came from another server is kept",
		edits: []edit{{
			"cmd/docket/app.go",
			`	p.Watch.OnChange(a.serverChanged)`,
			`	_ = a.serverChanged`,
		}},
		test: "^TestLostCommits$",
	},
	{
		name: "a conflict with a version below the cached one keeps the cached one",
		edits: []edit{
			{
				"cmd/docket/app.go",
				`	a.commands.ServerChanged()
`,
				``,
			},
			{
				"commands/command.go",
				`if conflict.Actual < conflict.Expected {`,
				`if conflict.Actual < 0 {`,
			},
		},
		test: "^TestLostCommits$",
	},
	{
		name: "a loss begins no epoch",
		edits: []edit{{
			"eventstore/epoch.go",
			`	case s.last != nil && !s.present &&`,
			`	case s.newest.Number < 0 && !s.present &&`,
		}},
		test: "^TestLostCommits$",
	},
}
