package tenanttest

import (
	"strings"
	"sync"
)

// Log keeps what is written to it, for tests that read a log while it is written. Its
// methods may be called from any goroutine.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is what was written until now.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count is how often a text was written until now.
func (l *Log) Count(text string) int { return strings.Count(l.String(), text) }
