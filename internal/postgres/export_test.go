package postgres

import "path/filepath"

// HideInstalled makes the search find nothing, as on a machine without Postgres.
func HideInstalled() { usualPlaces = nil }

// SocketLock is the path of the lock file beside the server's socket.
func (s *Server) SocketLock() string { return filepath.Join(s.socket, socketName+".lock") }

// MallocEnv are the variables that keep freed memory in a session.
var MallocEnv = mallocEnv
