package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// figure is one number of a report. Its name, with spaces, heads its column.
type figure struct {
	name   string
	value  float64
	digits int // behind the point, in a table
}

// errorsFigure is the figure that rounds add up; every other is a median.
const errorsFigure = "errors"

// row is one line of a table. It may lack some of the columns.
type row struct {
	what    string
	figures []figure
}

// value returns the figure of a name, 0 where there is none.
func (r row) value(name string) float64 {
	if i := slices.IndexFunc(r.figures, func(f figure) bool { return f.name == name }); i >= 0 {
		return r.figures[i].value
	}
	return 0
}

// report is what a benchmark prints: tables in Markdown, for docs/performance.md.
type report struct {
	names    []string // of the tables, in their order
	tables   map[string][]row
	failures map[string]int64
}

func newReport() *report {
	return &report{tables: map[string][]row{}, failures: map[string]int64{}}
}

// add adds a row to the table of a name.
func (r *report) add(table, what string, figures ...figure) {
	if _, ok := r.tables[table]; !ok {
		r.names = append(r.names, table)
	}
	r.tables[table] = append(r.tables[table], row{what, figures})
}

// rate is the requests a second of an operation at a number of connections; 0: not measured.
func (r *report) rate(op string, connections int) float64 {
	for _, line := range r.tables["http"] {
		if line.what == fmt.Sprintf("%s, %d connections", op, connections) {
			return line.value("requests_per_s")
		}
	}
	return 0
}

// errFailures is the error of a benchmark that was carried out, but in which operations
// failed. Its figures are printed, and can't be relied on.
var errFailures = errors.New("some operations failed; see errors and failures in the report")

// print writes the report to standard output.
func (p *program) print(r *report) error {
	if err := r.markdown(p.stdout); err != nil {
		return err
	}
	if len(r.failures) > 0 {
		return errFailures
	}
	return nil
}

func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	for _, name := range r.names {
		var columns []string
		for _, line := range r.tables[name] {
			for _, f := range line.figures {
				if !slices.Contains(columns, f.name) {
					columns = append(columns, f.name)
				}
			}
		}
		b.WriteString("| " + name + " | " + strings.ReplaceAll(strings.Join(columns, " | "), "_", " ") + " |\n|---" + strings.Repeat("|---:", len(columns)) + "|\n")
		for _, line := range r.tables[name] {
			cells := slices.Repeat([]string{"–"}, len(columns))
			for _, f := range line.figures {
				cells[slices.Index(columns, f.name)] = strconv.FormatFloat(f.value, 'f', f.digits, 64)
			}
			b.WriteString("| " + line.what + " | " + strings.Join(cells, " | ") + " |\n")
		}
		b.WriteString("\n")
	}
	if len(r.failures) > 0 {
		fmt.Fprintf(&b, "Failed: %v\n", r.failures)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// medians joins the figures of several rounds, so that a round in which the machine did
// something else decides nothing.
func medians(rounds [][]figure) []figure {
	out := slices.Clone(rounds[0])
	for i := range out {
		var all []float64
		sum := 0.0
		for _, round := range rounds {
			all, sum = append(all, round[i].value), sum+round[i].value
		}
		out[i].value = median(all)
		if out[i].name == errorsFigure {
			out[i].value = sum
		}
	}
	return out
}

// median is the middle value, of an even number the lower of the two, of none 0.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[(len(all)-1)/2]
}

// ratio is 0 where there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// machine says where a figure was taken, and how busy it was in the minute before.
func machine() string {
	load, _ := os.ReadFile("/proc/loadavg") // not on every system
	before, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%d CPUs, %s/%s, %s, load average before %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), before)
}
