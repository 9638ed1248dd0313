package static

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// live watches with the kernel's events and a refresh interval that never
// comes: what is seen was told by an event.
func live(t *testing.T, dir string, files ...string) func(what string) {
	t.Helper()
	s := newSource(t, Options{Files: files}, dir)
	s.env.RefreshInterval = time.Hour
	out := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- s.Watch(ctx, func(l target.Listing) { out <- show(dir, l.Parts) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch returned %v", err)
		}
	})
	return func(what string) {
		t.Helper()
		var got []string
		deadline := time.After(20 * time.Second)
		for {
			select {
			case l := <-out:
				if l == what {
					return
				}
				got = append(got, l)
			case <-deadline:
				t.Fatalf("never saw %q, but %q", what, got)
			}
		}
	}
}

const pair = "10.0.0.1,10.0.0.2"

// TestEditors: each way of saving a file is seen (contract §4).
func TestEditors(t *testing.T) {
	for name, save := range map[string]func(t *testing.T, path string){
		"in place": func(t *testing.T, path string) { put(t, path, moreYAML) },
		"rename":   func(t *testing.T, path string) { replace(t, path, moreYAML) },
		"rename from elsewhere": func(t *testing.T, path string) {
			draft := mkdir(t, filepath.Dir(path)+"/.drafts") + "/x"
			put(t, draft, moreYAML)
			rename(t, draft, path)
		},
		"backup first": func(t *testing.T, path string) {
			rename(t, path, path+"~")
			put(t, path, moreYAML)
			remove(t, path+"~")
		},
		"remove first": func(t *testing.T, path string) {
			remove(t, path)
			put(t, path, moreYAML)
		},
		"in two steps": func(t *testing.T, path string) {
			put(t, path, moreYAML[:20])
			put(t, path, moreYAML)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, dir+"/a.yml", oneYAML)
			see := live(t, dir, "*.yml")
			see("a.yml=" + pair)
			save(t, dir+"/a.yml")
			see("a.yml=" + pair + ",10.0.0.3")
		})
	}
}

// TestFilesComeAndGo: new files, deleted ones, and renamed ones.
func TestFilesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", oneYAML)
	see := live(t, dir, "*.yml", "*.json")
	see("*.json= a.yml=" + pair)
	put(t, dir+"/b.json", twoJSON)
	see("a.yml=unchanged b.json=10.0.1.1")
	rename(t, dir+"/a.yml", dir+"/c.yml")
	see("a.yml= b.json=unchanged c.yml=" + pair)
	remove(t, dir+"/b.json")
	see("a.yml=unchanged b.json= c.yml=unchanged")
}

// TestKubernetes: a mounted ConfigMap changes by a link to a directory.
func TestKubernetes(t *testing.T) {
	dir := t.TempDir()
	put(t, mkdir(t, dir+"/..1")+"/a.yml", oneYAML)
	put(t, mkdir(t, dir+"/..2")+"/a.yml", moreYAML)
	link(t, "..1", dir+"/..data")
	link(t, "..data/a.yml", dir+"/a.yml")
	see := live(t, dir, "*.yml")
	see("a.yml=" + pair)
	link(t, "..2", dir+"/..data_tmp")
	rename(t, dir+"/..data_tmp", dir+"/..data")
	see("a.yml=" + pair + ",10.0.0.3")
}

// TestDirectories: one that appears late, one that a link is turned away from,
// one that is deleted and made anew, and one that only a link leads to.
func TestDirectories(t *testing.T) {
	t.Run("late", func(t *testing.T) {
		dir := t.TempDir()
		see := live(t, dir, "x/y/*.yml")
		see("x/y/*.yml=failed")
		put(t, mkdir(t, dir+"/x/y")+"/a.yml", oneYAML)
		see("x/y/a.yml=" + pair)
		replace(t, dir+"/x/y/a.yml", "[]")
		see("x/y/a.yml=")
	})
	t.Run("turned", func(t *testing.T) {
		dir := t.TempDir()
		put(t, mkdir(t, dir+"/1")+"/a.yml", oneYAML)
		put(t, mkdir(t, dir+"/2")+"/a.yml", moreYAML)
		link(t, "1", dir+"/current")
		see := live(t, dir, "current/*.yml")
		see("current/a.yml=" + pair)
		link(t, "2", dir+"/new")
		rename(t, dir+"/new", dir+"/current")
		see("current/a.yml=" + pair + ",10.0.0.3")
		replace(t, dir+"/2/a.yml", "[]")
		see("current/a.yml=")
	})
	t.Run("anew", func(t *testing.T) {
		dir := t.TempDir()
		sub := mkdir(t, dir+"/sub")
		put(t, sub+"/a.yml", oneYAML)
		see := live(t, dir, "sub/*.yml")
		see("sub/a.yml=" + pair)
		remove(t, sub+"/a.yml")
		remove(t, sub)
		see("sub/*.yml=failed")
		put(t, mkdir(t, sub)+"/a.yml", moreYAML)
		see("sub/a.yml=" + pair + ",10.0.0.3")
		replace(t, sub+"/a.yml", "[]")
		see("sub/a.yml=")
	})
	t.Run("linked", func(t *testing.T) {
		dir := t.TempDir()
		put(t, mkdir(t, dir+"/far")+"/x.yml", oneYAML)
		link(t, "../far/x.yml", mkdir(t, dir+"/near")+"/a.yml")
		see := live(t, dir, "near/*.yml")
		see("near/a.yml=" + pair)
		replace(t, dir+"/far/x.yml", moreYAML)
		see("near/a.yml=" + pair + ",10.0.0.3")
	})
}
