// Command docket is the server and the commands for its operators. It is the only package
// that wires the others together; what any terminal program needs is in internal/cli.
//
//	serve         the API, the subscriptions and, unless DATABASE_URL is set, a private Postgres
//	migrate       the schema
//	tenants       list and create
//	projections   the read models
//	audit         the history
//	config        the settings
//	health        whether a server is ready
//	version
//	completion    for shells, of tenants' slugs too
//
// With --json a command prints one JSON object a line. Colours, and texts that are wrapped
// or cut to fit, are for terminals only.
//
// Exit status: 0 done, 1 the answer is no, 2 failed, usage and configuration mistakes
// too. An error is one line on standard error.
//
// # The order of stopping
//
// The first SIGINT, SIGTERM or SIGHUP stops what was started, in reverse order:
//
//	stop accepting, finish requests and with them their appends  20 s
//	stop the feed: its pages are rolled back and come again;
//	  messages being sent are finished, or come again            10 s
//	interrupt the background build; the next server resumes it    5 s
//	cut off requests to the operations address                    1 s
//	close the pools                                               5 s
//	stop the private Postgres, if this process started it        60 s
//
// A step that exceeds its time is cut off. The second signal cuts off every step at
// once. The third ends the process where it is; the next start adopts the Postgres that
// is left. Postgres runs in a process group of its own, so that Ctrl-C in a terminal
// reaches it last.
package main
