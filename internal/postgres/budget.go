package postgres

// Connections of one server, by what they are for: appends, reads, and sessions
// and credentials. Those of the feed and the delivery queue are beside them. An
// append holds its connection for one round trip.
const (
	AppendConns = 10
	ReadConns   = 20
	LoginConns  = 4
)
