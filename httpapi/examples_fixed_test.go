package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"docket/httpapi/edge"
)

// fixed replaces what differs from one run to the next: ids, times, dates, durations, tokens.
type fixed struct {
	ids map[string]string // by the run's
	// values are by the name of the field.
	values map[string]string
	// dates are by the run's.
	dates map[string]string
}

var (
	anyUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	anyPart = regexp.MustCompile(`:(\d+\.\d+(e-\d+)?|\d+e-\d+)\b`) // a number that isn't whole
)

// arrayItems is how many items an array of an example has at most, and bulkItems those of a
// bulk: one that is accepted and one that is refused.
const arrayItems, bulkItems = 1, 2

func newFixed() *fixed {
	now := time.Now().UTC()
	monday := now.AddDate(0, 0, -(int(now.Weekday())+6)%7)
	return &fixed{ids: map[string]string{}, values: map[string]string{
		"access_token": "eyJhbGciOiJIUzI1NiIs…", "refresh_token": "Rt3vQ8…", "token": "Vm8kT2…", "key": "dkt_abcd2345_…", "prefix": "abcd2345",
		"kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // of RFC 8037
		"next_cursor": parameterExamples["cursor"].(string),
	}, dates: map[string]string{
		monday.Format(time.DateOnly): "2026-11-30", monday.AddDate(0, 0, 6).Format(time.DateOnly): "2026-12-06",
	}}
}

// is gives an id of the run the one of a parameter's example.
func (f *fixed) is(id fmt.Stringer, parameter string) {
	f.ids[id.String()] = parameterExamples[parameter].(string)
}

// examples are those of a run, with fixed values in them.
func (f *fixed) examples(t *testing.T, run edge.Examples) edge.Examples {
	t.Helper()
	type text struct {
		*json.RawMessage
		most int // items of an array
	}
	var all []text
	operations := map[string]*edge.OperationExample{}
	for _, id := range slices.Sorted(maps.Keys(run.Operations)) {
		example := run.Operations[id]
		operations[id] = &example
		most := arrayItems
		if strings.HasSuffix(id, "-tasks") && example.Request != nil {
			most = bulkItems
		}
		all = append(all, text{&example.Request, most}, text{&example.Answer, most})
	}
	problems := map[string]*json.RawMessage{}
	for _, code := range slices.Sorted(maps.Keys(run.Problems)) {
		problem := run.Problems[code]
		problems[code] = &problem
		all = append(all, text{&problem, arrayItems})
	}
	times, parts := map[string]bool{}, map[string]float64{}
	for _, body := range all {
		if *body.RawMessage != nil {
			*body.RawMessage = f.shorten(t, *body.RawMessage, body.most)
		}
		for _, at := range anyTime.FindAllString(string(*body.RawMessage), -1) {
			times[at] = true
		}
		for _, part := range anyPart.FindAllStringSubmatch(string(*body.RawMessage), -1) {
			parts[part[1]], _ = strconv.ParseFloat(part[1], 64) // it has the form of one
		}
	}
	order := slices.SortedFunc(maps.Keys(times), func(a, b string) int {
		at, _ := time.Parse(time.RFC3339Nano, a) // they have the form of one
		bt, _ := time.Parse(time.RFC3339Nano, b)
		return at.Compare(bt)
	})
	seconds := slices.SortedFunc(maps.Keys(parts), func(a, b string) int { return int(1e9 * (parts[a] - parts[b])) })
	begin := time.Date(2026, 12, 1, 9, 0, 0, 193_637_000, time.UTC)
	for _, body := range all {
		if *body.RawMessage == nil {
			continue
		}
		b := anyTime.ReplaceAllFunc(*body.RawMessage, func(at []byte) []byte {
			return begin.Add(time.Duration(slices.Index(order, string(at)))*time.Minute).AppendFormat(nil, time.RFC3339Nano)
		})
		b = anyPart.ReplaceAllFunc(b, func(part []byte) []byte {
			return fmt.Appendf(nil, ":%d.5", 60*(1+slices.Index(seconds, string(part[1:]))))
		})
		*body.RawMessage = anyUUID.ReplaceAllFunc(b, func(id []byte) []byte {
			if bytes.HasPrefix(id, []byte("019ad922-5000")) {
				return id
			}
			if f.ids[string(id)] == "" {
				f.ids[string(id)] = fmt.Sprintf("019ad922-5000-7000-8000-%012x", 0x100+len(f.ids))
			}
			return []byte(f.ids[string(id)])
		})
	}
	told := edge.Examples{Operations: map[string]edge.OperationExample{}, Problems: map[string]json.RawMessage{}}
	for id, example := range operations {
		told.Operations[id] = *example
	}
	for code, problem := range problems {
		told.Problems[code] = *problem
	}
	return told
}

// shorten cuts arrays, and replaces the values that go by their field's name. The order of
// the fields stays.
func (f *fixed) shorten(t *testing.T, text json.RawMessage, most int) json.RawMessage {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	token, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	write := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	switch token {
	case json.Delim('{'):
		out.WriteByte('{')
		for i := 0; dec.More(); i++ {
			name, _ := dec.Token()
			var value json.RawMessage
			if err := dec.Decode(&value); err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				out.WriteByte(',')
			}
			write(name)
			out.WriteByte(':')
			if replaced := f.values[name.(string)]; replaced != "" && string(value) != "null" {
				write(replaced)
				continue
			}
			out.Write(f.shorten(t, value, most))
		}
		out.WriteByte('}')
	case json.Delim('['):
		out.WriteByte('[')
		for i := 0; dec.More(); i++ {
			var value json.RawMessage
			if err := dec.Decode(&value); err != nil {
				t.Fatal(err)
			}
			if i >= most {
				continue
			}
			if i > 0 {
				out.WriteByte(',')
			}
			out.Write(f.shorten(t, value, most))
		}
		out.WriteByte(']')
	default:
		if date, ok := token.(string); ok && f.dates[date] != "" {
			write(f.dates[date])
		} else {
			return bytes.TrimSpace(text)
		}
	}
	return out.Bytes()
}
