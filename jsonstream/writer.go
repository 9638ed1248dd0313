// Package jsonstream writes a large JSON document piece by piece, a line for
// each of its many elements, so that it is never in memory as a whole:
// encoding/json alone holds it several times over.
//
// The caveat: it puts in what it is told to. That the pieces make a document is
// up to the caller, and for its tests to see.
package jsonstream

import (
	"encoding/json"
	"io"
	"iter"
)

// Writer writes pieces. Its first error stands, and ends the writing.
type Writer struct {
	to    io.Writer
	lines *json.Encoder
	err   error
}

// New returns a Writer to w, which had better be buffered.
func New(w io.Writer) *Writer { return &Writer{to: w, lines: json.NewEncoder(w)} }

// Err is the first error.
func (w *Writer) Err() error { return w.err }

// Text writes JSON that is there already.
func (w *Writer) Text(t string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.to, t)
	}
}

// Value writes a value as encoding/json does, and ends the line.
func (w *Writer) Value(v any) {
	if w.err == nil {
		w.err = w.lines.Encode(v)
	}
}

// Open writes a struct without its closing brace, for members to follow. It
// must have one at least.
func (w *Writer) Open(v any) {
	b, err := json.Marshal(v)
	if w.err == nil {
		w.err = err
	}
	if w.err == nil {
		_, w.err = w.to.Write(b[:len(b)-1])
	}
}

// List writes all values as an array.
func (w *Writer) List(values iter.Seq[any]) {
	before := "["
	for v := range values {
		w.Text(before)
		w.Value(v)
		before = ","
	}
	if before == "[" {
		w.Text(before)
	}
	w.Text("]")
}
