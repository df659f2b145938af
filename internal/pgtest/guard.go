package pgtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// guard is a small shell that removes a directory, and kills the servers that run
// in it, when the test binary is gone, however it went (a panic, "go test -timeout", kill -9). It waits for the end of
// a pipe that only the test binary holds open: that works on every Unix, and
// unlike a parent-death signal it also removes the files.
type guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
	dir  string
}

// guardScript kills the postmaster of each data directory in $DOCKET_GUARDED (or that it
// is), unless the pid by now is some other program's, and then removes the directory, again
// while backends that are dying still write to it. Its command line doesn't name the
// directory: tests look there for processes that docket left.
const guardScript = `
read -r _
for f in "$DOCKET_GUARDED"/postgres/postmaster.pid "$DOCKET_GUARDED"/*/postgres/postmaster.pid; do
	pid=$(head -n 1 "$f" 2>/dev/null) || continue
	name=$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null)
	case $name in *postgres) kill -QUIT "$pid" 2>/dev/null ;; esac
done
n=0
while ! rm -rf "$DOCKET_GUARDED" 2>/dev/null && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done
`

func guardDir(dir string) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	cmd.Env = append(os.Environ(), "DOCKET_GUARDED="+dir)
	// Ctrl-C goes to the whole group of the terminal; the guard must outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = "/"
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("pgtest: %w", err), os.RemoveAll(dir))
	}
	return &guard{cmd: cmd, pipe: pipe, dir: dir}, nil
}

// release ends the guard, which removes the directory, and waits for it.
func (g *guard) release() error {
	err := g.pipe.Close()
	// Its status is the last command's, and says nothing that the next line does not.
	_ = g.cmd.Wait()
	return errors.Join(err, os.RemoveAll(g.dir))
}
