package domain_test

import (
	"reflect"
	"strings"
	"testing"

	"docket/domain"
)

// Every text and every list of an aggregate is in its Size: a new field can't be left out.
func TestSizeHasEveryTextAndList(t *testing.T) {
	const long = 1_000
	fields := 0
	for _, state := range []interface{ Size() int }{
		domain.Tenant{}, domain.User{}, domain.Membership{}, domain.Project{}, domain.Task{}, domain.Comment{}, domain.Subscription{},
	} {
		of := reflect.TypeOf(state)
		if n := state.Size(); n != 0 {
			t.Errorf("an empty %s has the size %d", of.Name(), n)
		}
		for field := range of.NumField() {
			filled := reflect.New(of).Elem()
			want := fillLong(filled.Field(field), long)
			if want == 0 {
				continue
			}
			fields++
			if got := filled.Interface().(interface{ Size() int }).Size(); got < want || got > want+want/10 {
				t.Errorf("%s with %d bytes in %s has the size %d", of.Name(), want, of.Field(field).Name, got)
			}
		}
	}
	if fields < 13 {
		t.Errorf("only %d fields are texts or lists", fields)
	}
}

// fillLong makes a text or a list long, and returns how many bytes it takes; 0 for every
// other field. The values of a named type of string are few and short.
func fillLong(v reflect.Value, long int) int {
	text := reflect.TypeFor[string]()
	switch {
	case v.Type() == text:
		v.SetString(strings.Repeat("x", long))
		return long
	case v.Type() == reflect.PointerTo(text):
		v.Set(reflect.New(text))
		return fillLong(v.Elem(), long)
	case v.Kind() != reflect.Slice:
		return 0
	}
	v.Set(reflect.MakeSlice(v.Type(), long, long))
	n := long * int(v.Type().Elem().Size())
	if v.Type().Elem() == text {
		for i := range long {
			n += fillLong(v.Index(i), 10)
		}
	}
	return n
}
