package health

import (
	"bytes"
	"errors"
	"io"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// errNotMetrics says that a body is in no exposition format.
var errNotMetrics = errors.New("not metrics")

// parsedComments is how many lines without a sample are parsed. A server that
// is well sends a few; megabytes of them would cost seconds of a core.
const parsedComments = 1000

// readText reads a body of one of the text formats to its end. What comes up
// to the first sample must parse by Prometheus' own parser, as far as that can
// be afforded; what follows is only looked through, line by line, for the names
// and versions asked for. It returns whether there was a sample; how the stream
// ended is in w.err.
func readText(w *window, openMetrics bool, f *finds) (samples bool, err error) {
	if samples, err = firstSample(w, openMetrics, f); !samples {
		return false, err
	}
	for {
		if f.onlyWitness() {
			w.skipTo(witness, witnessRare)
		}
		line, cut, ok := w.line()
		if !ok {
			return true, nil
		}
		if cut {
			line = line[:bytes.LastIndexAny(line, " \t{")+1] // no name is that long
		}
		f.line(line, openMetrics)
	}
}

// firstSample reads line by line up to the first sample.
func firstSample(w *window, openMetrics bool, f *finds) (samples bool, err error) {
	for n := 0; !samples; n++ {
		line, cut, ok := w.line()
		if !ok {
			return false, nil
		}
		if cut {
			if line[0] == '#' {
				continue
			}
			return false, tooLongToTell(w)
		}
		if n >= parsedComments && idle(line, openMetrics) {
			continue
		}
		if samples, err = parseLine(line, openMetrics); err == io.EOF {
			return false, nothingFollows(w)
		} else if err != nil {
			return false, err
		}
		f.line(line, openMetrics)
	}
	return true, nil
}

// idle reports whether a line can be left out because it is no sample.
func idle(line []byte, openMetrics bool) bool {
	if line[0] == '#' {
		return !openMetrics || !bytes.HasPrefix(line, []byte("# EOF"))
	}
	return line[0] == '\n' && !openMetrics
}

// tooLongToTell reads on, so that a bomb without any newline is called too
// large rather than no metrics.
func tooLongToTell(w *window) error {
	w.drain()
	if w.err != io.EOF {
		return nil
	}
	return errNotMetrics
}

// nothingFollows is asked after OpenMetrics' "# EOF".
func nothingFollows(w *window) error {
	if _, _, ok := w.line(); ok {
		return errNotMetrics
	}
	return nil
}

// parseLine reports whether one whole line is a sample, by Prometheus' parser
// where that needs one; io.EOF is OpenMetrics' own end. Both formats are made of
// lines, so that this is the same as parsing the body whole.
func parseLine(line []byte, openMetrics bool) (sample bool, err error) {
	if plainMetadata(line) {
		return false, nil
	}
	if _, plain := plainSample(line, ""); plain {
		return true, nil
	}
	entry, err := newParser(line, openMetrics).Next()
	switch {
	case err == nil:
		return entry == textparse.EntrySeries, nil
	case errors.Is(err, io.EOF) && openMetrics:
		return false, io.EOF
	case errors.Is(err, io.EOF) && len(bytes.Trim(line, " \t\n")) == 0: // an empty line
		return false, nil
	}
	return false, errNotMetrics
}

func newParser(line []byte, openMetrics bool) textparse.Parser {
	if openMetrics {
		return textparse.NewOpenMetricsParser(line, labels.NewSymbolTable())
	}
	return textparse.NewPromParser(line, labels.NewSymbolTable(), false)
}

// sampleLabels are those of a line that is a sample.
func sampleLabels(line []byte, openMetrics bool) (labels.Labels, bool) {
	p := newParser(line, openMetrics)
	if entry, err := p.Next(); err != nil || entry != textparse.EntrySeries {
		return labels.EmptyLabels(), false
	}
	var l labels.Labels
	p.Labels(&l)
	return l, true
}

// nameOf cuts the metric name out of a line; typed says that the line declares
// the type of a family instead of holding a sample.
func nameOf(line []byte) (name []byte, typed bool) {
	line = bytes.TrimLeft(line, " \t")
	if len(line) > 0 && line[0] == '#' {
		rest, ok := bytes.CutPrefix(bytes.TrimLeft(line[1:], " \t"), []byte("TYPE"))
		if !ok || len(rest) == 0 || (rest[0] != ' ' && rest[0] != '\t') {
			return nil, false
		}
		line, typed = bytes.TrimLeft(rest, " \t"), true
	}
	for i, c := range line {
		switch c {
		case '{', '"', ' ', '\t', '\n':
			if i == 0 {
				return quotedName(line), typed
			}
			return line[:i], typed
		}
	}
	return line, typed
}

// quotedName is the name in {"my.metric",label="x"} 1 and # TYPE "my.metric".
func quotedName(line []byte) []byte {
	line = bytes.TrimLeft(line, "{ \t")
	if len(line) == 0 || line[0] != '"' {
		return nil
	}
	end := bytes.IndexByte(line[1:], '"')
	if end < 0 {
		return nil
	}
	return line[1 : 1+end]
}
