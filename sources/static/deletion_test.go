package static

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Contract §4: a file deleted from a readable directory that a pattern matched
// is an empty listing, whatever else fails at the same time.
func TestDeletion(t *testing.T) {
	dir := t.TempDir()
	sub := mkdir(t, dir+"/sub")
	put(t, sub+"/a.yml", oneYAML)
	put(t, sub+"/b.yml", oneYAML)
	put(t, dir+"/c.yml", oneYAML)
	s := newSource(t, Options{Files: []string{"sub/*.yml", "c.yml"}}, dir)
	const both = "10.0.0.1,10.0.0.2"
	expectList(t, s, dir, "c.yml="+both+" sub/a.yml="+both+" sub/b.yml="+both)
	put(t, sub+"/b.yml", "")
	remove(t, sub+"/a.yml")
	expectList(t, s, dir, "c.yml="+both+" sub/a.yml= sub/b.yml=failed")
	expectList(t, s, dir, "c.yml="+both+" sub/a.yml= sub/b.yml=failed")
	remove(t, dir+"/c.yml") // a path, not a pattern
	expectList(t, s, dir, "c.yml=failed sub/a.yml= sub/b.yml=failed")
	put(t, sub+"/a.yml", oneYAML)
	put(t, sub+"/b.yml", "[]")
	expectList(t, s, dir, "c.yml=failed sub/a.yml="+both+" sub/b.yml=")
	rename(t, sub, sub+"~") // nothing is known of the files now
	expectList(t, s, dir, "c.yml=failed sub/*.yml=failed")
	mkdir(t, sub)
	expectList(t, s, dir, "c.yml=failed sub/a.yml= sub/b.yml=")
}

// A listing that was cut short never says that a file is gone.
func TestDeletionNeedsTime(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", oneYAML)
	s := newSource(t, Options{Files: []string{"*.yml"}}, dir)
	expectList(t, s, dir, "a.yml=10.0.0.1,10.0.0.2")
	remove(t, dir+"/a.yml")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l := s.Discover(ctx)
	if show(dir, l.Parts) != "a.yml=failed" || !errors.Is(l.Parts[0].Err, context.Canceled) {
		t.Errorf("got %s (%v)", show(dir, l.Parts), l.Parts[0].Err)
	}
	expectList(t, s, dir, "a.yml=")
}

// TestDeletedNamesAreForgotten: a generator that never uses a name twice does
// not fill the memory.
func TestDeletedNamesAreForgotten(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", oneYAML)
	s := newSource(t, Options{Files: []string{"*.yml"}}, dir)
	for i := range most + 1 {
		s.files[fmt.Sprintf("%s/x%d.yml", dir, i)] = &file{gone: true}
	}
	if n := len(discover(s).Parts); n != most+2 {
		t.Errorf("%d parts", n)
	}
	expectList(t, s, dir, "a.yml=10.0.0.1,10.0.0.2")
}

// TestSecondLook: a file that is missing for a moment, as while some editors
// save it, is not gone, whether it could be read before or not.
func TestSecondLook(t *testing.T) {
	for _, before := range []string{oneYAML, ""} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir+"/a.yml", oneYAML)
			s := newSource(t, Options{Files: []string{"*.yml"}}, dir)
			if before == "" {
				remove(t, dir+"/a.yml")
				mkdir(t, dir+"/a.yml")
			}
			discover(s)
			remove(t, dir+"/a.yml")
			go func() {
				<-time.After(settle / 2)
				put(t, dir+"/a.yml", oneYAML)
			}()
			expectList(t, s, dir, "a.yml=10.0.0.1,10.0.0.2")
			synctest.Wait()
		})
	}
}
