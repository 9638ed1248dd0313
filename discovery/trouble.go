package discovery

import (
	"regexp"
	"strconv"
	"strings"
)

// trouble is something that fails and is tried again. It is told of when it
// begins, when it fails in another way, and when it is over: not at every retry
// (the log's rule: no repetition of the same failure at full rate).
type trouble struct{ told map[string]bool } // the kinds of errors since it began

// kindsTold bounds what is told of one trouble until it is over.
const kindsTold = 8

// news takes the outcome of an attempt. It reports whether there is something to
// tell: that it fails, in a way that was not told of yet, or that it is over.
func (t *trouble) news(kind string) (begins, over bool) {
	switch {
	case kind == "":
		over = t.told != nil
		t.told = nil
	case !t.told[kind] && len(t.told) < kindsTold:
		if t.told == nil {
			t.told = map[string]bool{}
		}
		t.told[kind] = true
		begins = true
	}
	return begins, over
}

// varying is what differs between two reports of the same failure: the port that
// a connection came from, the identity of a request, a duration, a count, the name
// of a temporary file.
const varying = `\S+->|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\b\d+(\.\d+)?(ns|µs|ms|s|m|h)|\d{4,}`

// kinds tells which errors are the same failure.
type kinds struct{ varying *regexp.Regexp }

func newKinds() kinds { return kinds{regexp.MustCompile(varying)} }

// of returns the kind of an error, "" of none. The name of what failed counts for
// nothing in it: a part's name ends with what its errors quote.
func (k kinds) of(err error, name string) string {
	if err == nil {
		return ""
	}
	last := strconv.Quote(name[strings.LastIndex(name, "/")+1:])
	return k.varying.ReplaceAllString(strings.ReplaceAll(err.Error(), last, "…"), "…")
}
