//go:build !linux

package postgres

import (
	"context"
	"syscall"
)

// setUserTimeout does nothing: only Linux has TCP_USER_TIMEOUT. Keepalives are everywhere.
func setUserTimeout(context.Context, string, string, syscall.RawConn) error { return nil }
