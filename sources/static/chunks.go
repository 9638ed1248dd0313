package static

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/sources/filesd"
	"github.com/mcp-sd/mcp-sd/target"
)

// chunks are the groups of a JSON file that was read, so that of the next one
// only the groups that changed are decoded: of a large file mostly one.
//
// The caveat: they decide nothing. A file that is anything but a plain list of
// good groups is left to filesd, which says what is wrong with it.
type chunks struct {
	all  []chunk
	raws []target.Raw // of all
}

type chunk struct {
	sum [sha256.Size]byte // of the group as it is written
	end int               // of its raws
}

// readChunks lists what a JSON file says, taking over from known what stands in
// both; ok is false where parse has to look at it.
func readChunks(path string, content []byte, known chunks, extra ...labels.Label) (cs chunks, ok bool) {
	if !strings.EqualFold(filepath.Ext(path), ".json") {
		return chunks{}, false
	}
	cs.all = make([]chunk, 0, len(known.all)+1)
	cs.raws = make([]target.Raw, 0, len(known.raws)+1)
	last := lookup{known: known}
	good := split(content, func(text []byte) bool {
		sum := sha256.Sum256(text)
		raws, ok := last.find(sum)
		if !ok {
			raws, ok = decodeChunk(text, extra)
		}
		cs.raws = append(cs.raws, raws...)
		cs.all = append(cs.all, chunk{sum: sum, end: len(cs.raws)})
		return ok
	})
	if !good {
		return chunks{}, false // the last of them may be no good one
	}
	return cs, true
}

// rawsOf is what the chunk at i lists.
func (cs chunks) rawsOf(i int) []target.Raw {
	begin := 0
	if i > 0 {
		begin = cs.all[i-1].end
	}
	return cs.raws[begin:cs.all[i].end]
}

func decodeChunk(text []byte, extra []labels.Label) ([]target.Raw, bool) {
	var g filesd.Group
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil || g.Targets == nil {
		return nil, false
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return filesd.Raws([]filesd.Group{g}, extra...), true
}

// lookup finds chunks by their sums; most come in the order in which they did.
type lookup struct {
	known chunks
	at    int
	bySum map[[sha256.Size]byte]int
}

func (l *lookup) find(sum [sha256.Size]byte) (raws []target.Raw, ok bool) {
	for i := l.at; i < min(l.at+2, len(l.known.all)); i++ {
		if l.known.all[i].sum == sum {
			return l.take(i), true
		}
	}
	if l.bySum == nil {
		l.bySum = make(map[[sha256.Size]byte]int, len(l.known.all))
		for i := range l.known.all {
			l.bySum[l.known.all[i].sum] = i
		}
	}
	i, ok := l.bySum[sum]
	if !ok {
		return nil, false
	}
	return l.take(i), true
}

func (l *lookup) take(i int) []target.Raw {
	l.at = i + 1
	return l.known.rawsOf(i)
}

// split calls item for each object of a JSON list. It reports whether the text
// is such a list as far as that can be told without looking into the objects,
// and whether every item was good.
func split(text []byte, item func([]byte) bool) bool {
	text = bytes.Trim(text, space)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return false
	}
	text = bytes.Trim(text[1:len(text)-1], space)
	for len(text) > 0 {
		n := objectEnd(text)
		if n == 0 || !item(text[:n]) {
			return false
		}
		if text = bytes.TrimLeft(text[n:], space); len(text) == 0 {
			return true
		}
		if text[0] != ',' {
			return false
		}
		if text = bytes.TrimLeft(text[1:], space); len(text) == 0 {
			return false // a comma that nothing follows
		}
	}
	return true
}

const space = " \t\r\n" // JSON's

// objectEnd is the length of the object that text begins with; 0: it has no end,
// or there is none.
func objectEnd(text []byte) int {
	if text[0] != '{' {
		return 0
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := stringEnd(text[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// stringEnd is the length of the string that text begins with; 0: it has no end.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return 0
		}
		escaped := false
		for j := i + n - 1; j >= i && text[j] == '\\'; j-- {
			escaped = !escaped
		}
		if i += n; !escaped {
			return i + 1
		}
	}
	return 0
}
