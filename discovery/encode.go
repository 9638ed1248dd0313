package discovery

import (
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/jsonstream"
)

// encode writes state.json, a line for each of what there may be 100,000.
func (v *saved) encode(to io.Writer) error {
	w := jsonstream.New(to)
	w.Open(struct {
		Schema  int       `json:"schema"`
		Written time.Time `json:"written"`
	}{v.Schema, v.Written})
	before := `,"sources":{`
	for _, name := range slices.Sorted(maps.Keys(v.Sources)) {
		w.Text(before)
		w.Value(name)
		w.Text(":")
		v.Sources[name].encode(w)
		before = ","
	}
	if len(v.Sources) == 0 {
		w.Text(before)
	}
	w.Text(`},"records":`)
	w.List(notable(v.from))
	w.Text(`,"ledger":`)
	v.Ledger.WriteJSON(w)
	w.Text(`,"journal":`)
	w.List(each(v.Journal))
	w.Text("}\n")
	return w.Err()
}

func (in savedSource) encode(w *jsonstream.Writer) {
	window := in.Window
	in.Window = Window{}
	w.Open(in)
	w.Text(`,"window":{"admitted":`)
	w.List(each(window.Admitted))
	w.Text(`,"removed":`)
	w.List(each(window.Removed))
	w.Text(`,"peaks":`)
	w.List(each(window.Peaks))
	w.Text(`,"spent":`)
	w.Value(window.Spent)
	w.Text("}}")
}

// notable is what is saved of those records of which anything is.
func notable(records []*Record) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, r := range records {
			if r.notable() && !yield(r.saved()) {
				return
			}
		}
	}
}

func each[T any](all []T) iter.Seq[any] {
	return func(yield func(any) bool) {
		for i := range all {
			if !yield(&all[i]) {
				return
			}
		}
	}
}
