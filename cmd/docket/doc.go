// Command docket is the program: the server, and the commands that an operator
// runs beside it. It is the only package that wires the others together.
//
//	serve         the API, the subscriptions and, unless DATABASE_URL is set, a private Postgres
//	migrate       the schema
//	tenants       list and create
//	projections   the read models
//	audit         the history
//	config        the settings
//	health        whether a server is ready
//	version
//	completion    for shells; tenants' slugs too
//
// Those that a machine might read have --json: one JSON object a line. Colours,
// and texts that are broken or cut to fit, are for terminals only (terminal.go).
//
// Exit status: 0 done, 1 the answer is no, 2 could not (usage and configuration
// mistakes too). What went wrong is one line on standard error.
//
// # The order of stopping
//
// The first SIGINT, SIGTERM or SIGHUP stops what was started, the last first:
//
//	stop accepting, drain requests and with them their appends   20 s
//	stop the feed: pages in work are rolled back and come again;
//	  messages being sent end, or are broken off and come again  10 s
//	break off what is built in the background; the next goes on   5 s
//	cut off whoever still asks the operations address             1 s
//	close the pools                                               5 s
//	stop the private Postgres, if this process started it        60 s
//
// Each step has at most the time beside it; what isn't done by then is cut off. The
// second signal cuts off every step at once, the third ends the process where it
// stands (the next start adopts the Postgres that is left). Postgres is in a
// process group of its own, so that Ctrl-C in a terminal reaches it last.
package main
