package consul

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

func body(t testing.TB, entries ...*api.ServiceEntry) []byte {
	t.Helper()
	b, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func entryOf(t testing.TB, e *api.ServiceEntry) *entry {
	t.Helper()
	var ours entry
	b, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(b, &ours)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &ours
}

// counting decodes, and counts the entries that it looked into.
func counting(n *int) reader {
	return reader{seed: maphash.MakeSeed(), describe: func(e *entry) (described, error) {
		*n++
		raw, err := e.describe("dc1", "web", ",")
		return one(raw), err
	}}
}

// The cost of an answer follows what changed in it, and the result does not
// depend on what was known.
func TestReadDecodesWhatChanged(t *testing.T) {
	a, b, c := instance("web", "a"), instance("web", "b"), instance("web", "c")
	b2 := instance("web", "b", func(e *api.ServiceEntry) { e.Service.Meta["version"] = "v2" })
	chatty := instance("web", "b", func(e *api.ServiceEntry) { e.Checks[0].Output = "still alive" })
	decoded, all := 0, 0
	r, forgetful := counting(&decoded), counting(&all)
	var last listing
	for i, step := range []struct {
		entries []*api.ServiceEntry
		decoded int
		changed bool
		lost    bool
	}{
		{nil, 0, false, false},
		{[]*api.ServiceEntry{b, a}, 2, true, false},
		{[]*api.ServiceEntry{a, b}, 0, false, false}, // another order
		{[]*api.ServiceEntry{a, b2}, 1, true, false},
		{[]*api.ServiceEntry{a, b2, c}, 1, true, false},
		{[]*api.ServiceEntry{a, c}, 0, true, true},
		{[]*api.ServiceEntry{a, c, b}, 1, true, false},
		{[]*api.ServiceEntry{a, c, chatty}, 1, false, false},
		{[]*api.ServiceEntry{c}, 0, true, true},
		{[]*api.ServiceEntry{a}, 1, true, true},
		{nil, 0, true, true},
	} {
		answer := []byte("[]")
		if step.entries != nil {
			answer = body(t, step.entries...)
		}
		decoded = 0
		next, err := r.read(answer, last)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := forgetful.read(answer, listing{})
		if err != nil {
			t.Fatal(err)
		}
		if !same(next.raws, fresh.raws) {
			t.Errorf("step %d: another result with memory than without", i)
		}
		if decoded != step.decoded {
			t.Errorf("step %d: decoded %d entries, want %d", i, decoded, step.decoded)
		}
		if lost(last.raws, next.raws) != step.lost {
			t.Errorf("step %d: lost = %t", i, !step.lost)
		}
		if changed := next.serial != last.serial; changed != step.changed {
			t.Errorf("step %d: changed = %t", i, changed)
		}
		last = next
	}
}

// Contract §4: a body that is not a whole list is an error, wherever it ends.
func TestReadRefusesWhatIsNoList(t *testing.T) {
	n := 0
	whole := body(t, instance("web", "a"), instance("web", "b"))
	for i := range whole {
		if l, err := counting(&n).read(whole[:i], listing{}); err == nil || l.raws != nil {
			t.Fatalf("cut after byte %d: %d instances, error %v", i, len(l.raws), err)
		}
	}
	for _, c := range []struct{ body, want string }{
		{``, "it is no list"},
		{`null`, "it is no list"},
		{`{}`, "it is no list"},
		{`[`, "it ends in the middle"},
		{`[]]`, "something follows its end"},
		{`[null]`, `an element is no object`},
		{`[{}]`, "instance 1: an instance lacks its Node"},
		{`[{"Node":{}}]`, "or its Service"},
		{`[{"Node":{},"Service":{}},]`, "no object"},
		{`[{"Node":{},"Service":{}}{}]`, "a comma is missing"},
		{`[{"Node":{},"Service":{}} 1`, "a comma is missing"},
		{`[{"Node":{},"Service":{"Port":"80"}}]`, "instance 1: json:"},
		{`[{"Node":{},"Service":{"Port":1,}}]`, "invalid character"},
	} {
		if _, err := counting(&n).read([]byte(c.body), listing{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
}

// FuzzRead: no panic; the outcome is an error, or as many targets as a plain
// JSON decoder finds elements, with the same content whatever was known.
func FuzzRead(f *testing.F) {
	f.Add(body(f, fleet()...))
	f.Add([]byte(` [ {"Node":{"Node":"a\"]}"},"Service":{"ID":"\\"}} , {"Node":{},"Service":{}} ] `))
	f.Add([]byte(`[{"Node":{},"Service":{}}]}`))
	n := 0
	r := counting(&n)
	known, err := r.read(body(f, fleet()...), listing{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := r.read(b, listing{})
		again, err2 := r.read(b, known)
		if (err == nil) != (err2 == nil) || err == nil && !same(got.raws, again.raws) {
			t.Fatalf("what was known decides: %v, %v", err, err2)
		}
		if err != nil {
			return
		}
		var elements []json.RawMessage
		if err := json.Unmarshal(b, &elements); err != nil {
			t.Fatalf("read, but no JSON: %v", err)
		}
		if len(elements) != len(got.raws) {
			t.Fatalf("%d elements, %d targets", len(elements), len(got.raws))
		}
	})
}

// BenchmarkRead: an answer of 1,000 instances in which one changed.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			entries := make([]*api.ServiceEntry, size)
			for i := range entries {
				entries[i] = instance("web", fmt.Sprintf("id-%06d", i))
			}
			n := 0
			r := counting(&n)
			before := body(b, entries...)
			entries[size/2].Service.Meta["version"] = "v2"
			after := body(b, entries...)
			known, err := r.read(before, listing{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(after)))
			b.ReportAllocs()
			for b.Loop() {
				if next, err := r.read(after, known); err != nil || next.serial == known.serial {
					b.Fatal(next.serial, err)
				}
			}
		})
	}
}
