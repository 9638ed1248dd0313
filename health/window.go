package health

import (
	"bytes"
	"errors"
	"io"
)

// windowSize bounds one body's share of memory, and so the longest line and
// the longest protobuf message that are looked into.
const windowSize = 64 << 10

// errTooLarge says that a body goes on past its limit.
var errTooLarge = errors.New("body too large")

// limited ends with errTooLarge where src goes on after left bytes.
type limited struct {
	src  io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1] // one more than allowed, to tell the end from an excess
	}
	n, err := l.src.Read(p)
	if int64(n) > l.left {
		n, l.left = int(l.left), 0
		return n, errTooLarge
	}
	l.left -= int64(n)
	return n, err
}

// window shows a stream piece by piece in a fixed buffer. What it shows
// depends on the stream alone, never on how its reads are cut.
type window struct {
	src    io.Reader
	buf    []byte
	lo, hi int   // unread bytes
	seen   int   // of these, how many hold no newline
	err    error // why there are no further bytes; io.EOF at a proper end
	inLine bool  // the rest of a line that was cut is still to be dropped
}

func (w *window) reset(src io.Reader) {
	*w = window{src: src, buf: w.buf}
}

// more reads on; false means that the window is full or the stream has ended.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	if w.hi == len(w.buf) {
		if w.lo == 0 {
			return false
		}
		w.hi = copy(w.buf, w.buf[w.lo:w.hi])
		w.lo = 0
	}
	for range 100 {
		n, err := w.src.Read(w.buf[w.hi:])
		w.hi += n
		w.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// line returns the next line with its newline; a line longer than the window
// comes as its beginning, with cut set. The last line of a stream that ended
// properly may lack its newline; of one that did not, it is no line. ok is
// false at the end; err says which.
func (w *window) line() (line []byte, cut, ok bool) {
	for {
		if i := bytes.IndexByte(w.buf[w.lo+w.seen:w.hi], '\n'); i >= 0 {
			line = w.take(w.seen + i + 1)
			if w.inLine {
				w.inLine = false
				continue
			}
			return line, false, true
		}
		w.seen = w.hi - w.lo
		if w.more() {
			continue
		}
		if w.seen == 0 || w.err != nil {
			return w.lastLine()
		}
		line = w.take(w.seen)
		if !w.inLine {
			w.inLine = true
			return line, true, true
		}
	}
}

// skipTo drops whole lines without the word, as far as the window shows the
// stream; the next line may still be one of those. The word is looked for by
// its byte at rare, which should be seldom in a page: bytes.Index goes by the
// first one, and took four times as long.
func (w *window) skipTo(word []byte, rare int) {
	if w.inLine {
		return
	}
	shown, from := w.buf[w.lo:w.hi], 0
	for {
		i := bytes.IndexByte(shown[from:], word[rare])
		if i < 0 {
			break
		}
		from += i + 1
		if at := from - 1 - rare; at >= 0 && bytes.HasPrefix(shown[at:], word) {
			shown = shown[:at]
			break
		}
	}
	if i := bytes.LastIndexByte(shown, '\n'); i >= 0 {
		w.take(i + 1)
	}
}

func (w *window) lastLine() (line []byte, cut, ok bool) {
	line = w.take(w.seen)
	return line, false, len(line) > 0 && w.err == io.EOF && !w.inLine
}

// take consumes n bytes of the window.
func (w *window) take(n int) []byte {
	b := w.buf[w.lo : w.lo+n : w.lo+n]
	w.lo += n
	w.seen = 0
	return b
}

// need makes n bytes visible, or says how many there are.
func (w *window) need(n int) []byte {
	for w.hi-w.lo < n && w.more() {
	}
	return w.buf[w.lo:min(w.lo+n, w.hi)]
}

// skip drops n bytes; false if the stream has fewer.
func (w *window) skip(n uint64) bool {
	for {
		have := uint64(w.hi - w.lo)
		if n <= have {
			w.take(int(n))
			return true
		}
		w.take(int(have))
		n -= have
		if !w.more() {
			return false
		}
	}
}

// drain reads to the end of the stream.
func (w *window) drain() {
	for {
		w.take(w.hi - w.lo)
		if !w.more() {
			return
		}
	}
}
