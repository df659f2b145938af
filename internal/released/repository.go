package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
)

// repository is a git repository, by the folder of its work tree.
type repository struct{ dir string }

// lastRelease is the tag to compare with. Where it is empty, why says why there
// is nothing to compare with; else why may hold what the reader should know.
func (r repository) lastRelease() (tag, why string, err error) {
	if _, err := exec.LookPath("git"); err != nil {
		return "", "there is no git here", nil
	}
	if _, err := r.git("rev-parse", "--verify", "HEAD"); err != nil {
		return "", "git finds no commit here: " + err.Error(), nil
	}
	shallow, err := r.git("rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", "", err
	}
	if near, err := r.git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*"); err == nil {
		return text(near), "", nil
	}
	// describe fails as well where no tag is behind HEAD.
	all, err := r.git("-c", "versionsort.suffix=-", "tag", "--list", "v[0-9]*", "--sort=-version:refname")
	if err != nil {
		return "", "", err
	}
	highest, _, _ := strings.Cut(text(all), "\n")
	switch isShallow := text(shallow) == "true"; {
	case highest != "" && isShallow:
		return highest, "the highest tag of a shallow clone: git fetch --unshallow --tags for the nearest", nil
	case highest != "":
		return highest, "the highest tag, as none is behind HEAD", nil
	case isShallow:
		return "", "this clone is shallow and has no tag v*, so there may be releases: git fetch --unshallow --tags", nil
	}
	return "", "no tag v* is here, so nothing was released, or the clone was made without tags", nil
}

// files are the files of a folder as a tag has them, by their names.
func (r repository) files(tag, folder string) (map[string][]byte, error) {
	list, err := r.git("ls-tree", "-r", "-z", "--name-only", tag, "--", folder+"/")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, p := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if p == "" {
			continue
		}
		if files[path.Base(p)], err = r.git("cat-file", "blob", tag+":"+p); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// git runs git in the repository and returns what it printed. The variables that
// point git elsewhere, as those of a hook do, don't reach it; settings do.
func (r repository) git(args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_") || strings.HasPrefix(v, "GIT_CONFIG") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(failed.Stderr))
	}
	return out, err
}

func text(out []byte) string { return strings.TrimSpace(string(out)) }
