package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// identity is the user that Postgres runs as. Postgres refuses to run as root.
type identity struct {
	uid, gid uint32
	name     string
	// switched: this process is root and has to become the user.
	switched bool
}

// identify chooses the user: oneself, or as root the owner of an existing
// cluster, else "postgres", else "nobody".
func identify(cluster string) (identity, error) {
	if uid := os.Geteuid(); uid != 0 {
		return identity{uid: uint32(uid), gid: uint32(os.Getegid()), name: strconv.Itoa(uid)}, nil
	}
	if info, err := os.Stat(cluster); err == nil {
		st := info.Sys().(*syscall.Stat_t)
		if st.Uid != 0 {
			return identity{uid: st.Uid, gid: st.Gid, name: userName(st.Uid), switched: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return identity{}, fmt.Errorf("postgres: user %s: %w", name, err)
		}
		return identity{uid: uint32(uid), gid: uint32(gid), name: name, switched: true}, nil
	}
	return identity{}, errors.New("postgres: running as root, and there is no user \"postgres\" or \"nobody\" to run Postgres as")
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// mallocEnv keeps the memory that a statement frees in its session. By default glibc
// returns it to the kernel after each of the executor's larger allocations and asks
// for it again with the next: half of the processor time of an append of 16 Commits,
// measured. The caller's environment overrides it; other C libraries ignore it.
var mallocEnv = []string{"MALLOC_TRIM_THRESHOLD_=16777216", "MALLOC_TOP_PAD_=1048576", "MALLOC_MMAP_THRESHOLD_=8388608"}

// command prepares a program to run as the identity, in dir, apart from the
// terminal: its own process group, so that Ctrl-C reaches docket alone and docket
// can drain before it stops Postgres. No PG* variable of the caller gets through.
func (id identity) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if id.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
	cmd.Env = slices.Clone(mallocEnv)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// give hands path to the identity.
func (id identity) give(path string) error {
	if !id.switched {
		return nil
	}
	return os.Chown(path, int(id.uid), int(id.gid))
}

// canEnter answers whether the identity can enter dir, and if not, with one line
// that names the directory in the way.
func (id identity) canEnter(dir string) error {
	if !id.switched {
		return nil
	}
	// The kernel decides, not the mode bits: there may be ACLs.
	if id.command("/", "/bin/sh", "-c", `cd -- "$0"`, dir).Run() == nil {
		return nil
	}
	blame := dir
	for d := dir; ; d = filepath.Dir(d) {
		if info, err := os.Stat(d); err == nil && !id.maySearch(info) {
			blame = d
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	return fmt.Errorf("postgres: user %s, which Postgres runs as, cannot enter %s: chmod o+x %s, or choose another data directory", id.name, blame, blame)
}

func (id identity) maySearch(info os.FileInfo) bool {
	st := info.Sys().(*syscall.Stat_t)
	switch {
	case st.Uid == id.uid:
		return info.Mode()&0o100 != 0
	case st.Gid == id.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}

// Reachable answers whether the user that a private Postgres would run as can
// enter dir.
func Reachable(dir string) error {
	id, err := identify(dir)
	if err != nil {
		return err
	}
	return id.canEnter(dir)
}
