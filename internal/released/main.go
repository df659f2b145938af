package main

import (
	"flag"
	"fmt"
	"os"

	"docket/domain"
)

func main() {
	dir := flag.String("dir", ".", "the repository's `folder`")
	flag.Parse()
	os.Exit(run(*dir))
}

func run(dir string) int {
	r, err := check(dir, domain.Definitions(), early)
	if err != nil {
		fmt.Fprintln(os.Stderr, "released:", err)
		return 2
	}
	fmt.Println(r.said)
	for _, w := range r.wrong {
		fmt.Fprintln(os.Stderr, "released:", w)
	}
	if len(r.wrong) > 0 {
		return 1
	}
	return 0
}
