package consul

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// listing is what one service was last heard to consist of.
type listing struct {
	raws     []target.Raw       // sorted
	rejected []target.Rejection // in the order of the answer
	heard    []heard            // in the order of the answer
	serial   int                // grows with every change of raws or rejected
}

// heard is an entry of an answer, and what became of it.
type heard struct {
	imprint
	described
}

// described is what becomes of an entry: targets, or none and the reason, or
// neither where it is not selected.
type described struct {
	raws     []target.Raw
	rejected *target.Rejection
}

// one is an entry that is a single target.
func one(raw target.Raw) described { return described{raws: []target.Raw{raw}} }

// imprint stands for the bytes of an entry that was decoded before. Two of a
// million entries share one by chance in less than one in ten million answers,
// and the seed, different in each process, keeps it from being forced.
type imprint struct {
	hash uint64
	size int
}

// reader decodes the answers of the health endpoint. Entries whose bytes were
// seen in the answer before are not decoded again: the cost of an answer
// follows what changed in it.
type reader struct {
	seed     maphash.Seed
	describe func(*entry) (described, error)
}

// read returns the listing that the answer holds, or an error and nothing.
func (r reader) read(body []byte, last listing) (listing, error) {
	a := reading{reader: r, last: last.heard, next: make([]heard, 0, len(last.heard)+1)}
	if err := eachObject(body, a.take); err != nil {
		return listing{}, fmt.Errorf("the answer can't be read: %w", err)
	}
	if !a.differs && len(a.next) == len(a.last) {
		return last, nil
	}
	next := listing{raws: make([]target.Raw, 0, len(a.next)), heard: a.next, serial: last.serial + 1}
	for _, h := range a.next {
		next.raws = append(next.raws, h.raws...)
		if h.rejected != nil {
			next.rejected = append(next.rejected, *h.rejected)
		}
	}
	slices.SortFunc(next.raws, compare)
	if same(next.raws, last.raws) && slices.Equal(next.rejected, last.rejected) {
		next.raws, next.serial = last.raws, last.serial // the output of a check changed, say
	}
	return next, nil
}

// reading is one answer on its way into a listing.
type reading struct {
	reader
	last    []heard // the answer before
	at      int     // where in it this one goes on
	index   map[imprint]int
	next    []heard
	differs bool // another entry than before stands somewhere
}

// take takes the entry with which b begins, and returns its length. Most of an
// answer is as it was, in the same order: then not even its end is looked for.
func (a *reading) take(b []byte) (int, error) {
	if a.at < len(a.last) {
		if h := a.last[a.at]; h.size <= len(b) && h.hash == maphash.Bytes(a.seed, b[:h.size]) {
			a.at++
			a.next = append(a.next, h)
			return h.size, nil
		}
	}
	a.differs = true
	n, err := objectLength(b)
	if err != nil {
		return 0, err
	}
	h := heard{imprint: imprint{maphash.Bytes(a.seed, b[:n]), n}}
	if i, ok := a.find(h.imprint); ok {
		a.at, h.described = i+1, a.last[i].described
	} else {
		if h.described, err = a.decode(b[:n]); err != nil {
			return 0, fmt.Errorf("instance %d: %w", len(a.next)+1, err)
		}
		a.at++ // it stands for the one that was here, more often than before it
	}
	a.next = append(a.next, h)
	return n, nil
}

// find looks for an entry elsewhere in the answer before.
func (a *reading) find(key imprint) (int, bool) {
	if a.index == nil {
		a.index = make(map[imprint]int, len(a.last))
		for i, h := range a.last {
			a.index[h.imprint] = i
		}
	}
	i, ok := a.index[key]
	return i, ok
}

func (r reader) decode(object []byte) (described, error) {
	var e entry
	if err := json.Unmarshal(object, &e); err != nil {
		return described{}, err
	}
	return r.describe(&e)
}

func compare(a, b target.Raw) int {
	return cmp.Or(strings.Compare(a.Identity, b.Identity), labels.Compare(a.Labels, b.Labels))
}

func same(a, b []target.Raw) bool {
	return slices.EqualFunc(a, b, func(x, y target.Raw) bool {
		return x.Identity == y.Identity && labels.Equal(x.Labels, y.Labels)
	})
}

// lost reports whether an identity of the older listing is not in the newer
// one. Both are sorted.
func lost(older, newer []target.Raw) bool {
	i := 0
	for _, o := range older {
		for i < len(newer) && newer[i].Identity < o.Identity {
			i++
		}
		if i == len(newer) || newer[i].Identity != o.Identity {
			return true
		}
	}
	return false
}

// decodeWhole decodes a small answer into a map or a list; null is neither.
func decodeWhole(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer can't be read: %w", err)
	}
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return errors.New("the answer can't be read: it is null")
	}
	return nil
}

var errCutOff = errors.New("it ends in the middle")

// eachObject hands over the elements of a JSON array of objects: take is given
// all bytes from the next element on, and returns its length. It is strict
// about what is between them; that each is valid JSON is for the decoder to
// find, and holds for one whose bytes were decoded before.
func eachObject(b []byte, take func([]byte) (int, error)) error {
	rest, ok := bytes.CutPrefix(trimLeft(b), []byte("["))
	if !ok {
		return fmt.Errorf("it is no list: %.40q", b)
	}
	rest = trimLeft(rest)
	for first := true; first && !bytes.HasPrefix(rest, []byte("]")) || !first && bytes.HasPrefix(rest, []byte(",")); first = false {
		if !first {
			rest = trimLeft(rest[1:])
		}
		n, err := take(rest)
		if err != nil {
			return err
		}
		rest = trimLeft(rest[n:])
	}
	switch {
	case len(rest) == 0:
		return errCutOff
	case rest[0] != ']':
		return fmt.Errorf("a comma is missing before %.40q", rest)
	case len(trimLeft(rest[1:])) > 0:
		return errors.New("something follows its end")
	}
	return nil
}

func trimLeft(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// objectLength is the length of the JSON object with which b begins.
func objectLength(b []byte) (int, error) {
	if len(b) > 0 && b[0] != '{' {
		return 0, fmt.Errorf("an element is no object: %.40q", b)
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
	}
	return 0, errCutOff
}
