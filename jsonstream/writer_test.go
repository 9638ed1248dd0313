package jsonstream

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	var b strings.Builder
	w := New(&b)
	w.Open(struct {
		A int    `json:"a"`
		B string `json:"b"`
	}{1, "<ü>"})
	w.Text(`,"some":`)
	w.List(slices.Values([]any{1, "two", []int{3}}))
	w.Text(`,"none":`)
	w.List(slices.Values([]any(nil)))
	w.Text(`,"value":`)
	w.Value(map[string]int{"x": 1})
	w.Text("}")
	const want = "{\"a\":1,\"b\":\"\\u003cü\\u003e\",\"some\":[1\n,\"two\"\n,[3]\n],\"none\":[],\"value\":{\"x\":1}\n}"
	if b.String() != want || w.Err() != nil {
		t.Errorf("%s\nwant\n%s\n%v", b.String(), want, w.Err())
	}
}

var errFull = errors.New("full")

// full takes so many writes.
type full int

func (f *full) Write(b []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// The first error stands, and nothing is written after it.
func TestErrors(t *testing.T) {
	for n := range 4 {
		f := full(n)
		w := New(&f)
		w.Open(struct{ A int }{})
		w.Text(",")
		w.Value(1)
		w.List(slices.Values([]any{1}))
		if !errors.Is(w.Err(), errFull) || f != -1 {
			t.Errorf("after %d writes: %v, %d more were tried", n, w.Err(), -f)
		}
	}
	for name, write := range map[string]func(*Writer){
		"value": func(w *Writer) { w.Value(func() {}) },
		"open":  func(w *Writer) { w.Open(struct{ F func() }{}) },
	} {
		var b strings.Builder
		w := New(&b)
		write(w)
		w.Text("more")
		if w.Err() == nil || b.Len() > 0 {
			t.Errorf("%s: %v, and %q", name, w.Err(), b.String())
		}
	}
}
