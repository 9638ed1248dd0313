package e2e

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"
)

// A logReader finds one line after the other in a log that grows.
type logReader struct {
	path string
	at   int64
	part []byte // of a line that is not finished
}

// waitFor returns soon after a line with these words, unlike eventually.
func (l *logReader) waitFor(t testing.TB, words string) {
	t.Helper()
	deadline := time.Now().Add(soon)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := l.next(words)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// next finds a line with these words, and passes over the others.
func (l *logReader) next(words string) error {
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer file.Close()
	buf := make([]byte, 64<<10)
	n, _ := file.ReadAt(buf, l.at)
	l.at += int64(n)
	l.part = append(l.part, buf[:n]...)
	for {
		line, rest, ok := bytes.Cut(l.part, []byte("\n"))
		if !ok {
			return fmt.Errorf("the log does not say %q", words)
		}
		l.part = rest
		if bytes.Contains(line, []byte(words)) {
			return nil
		}
	}
}
