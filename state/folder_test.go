package state

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Contract §8: mode 0600, replaced atomically, and nothing left behind.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	f := New(dir)
	if _, err := f.Read("state.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("reading what was never written: %v", err)
	}
	for _, content := range []string{"one", "two", ""} {
		for _, name := range []string{"state.json", "listings/a.json"} {
			if err := f.Write(name, []byte(content)); err != nil {
				t.Fatal(err)
			}
			got, err := f.Read(name)
			if err != nil || string(got) != content {
				t.Fatalf("%s holds %q (%v), want %q", name, got, err, content)
			}
			checkMode(t, filepath.Join(dir, name), 0o600)
		}
	}
	checkMode(t, dir, 0o700)
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Content that can't be made whole leaves the old file, and nothing beside it.
func TestStreamFails(t *testing.T) {
	dir := t.TempDir()
	f, broken := New(dir), errors.New("broken")
	if err := f.Write("state.json", []byte("old")); err != nil {
		t.Fatal(err)
	}
	half := func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("new", 100_000))
		return errors.Join(err, broken)
	}
	if err := f.Stream("state.json", half); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if got, err := f.Read("state.json"); err != nil || string(got) != "old" {
		t.Errorf("it holds %.10q (%v)", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
	}
}

// A folder that can't be made is an error with a way out, not a crash.
func TestWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := New(filepath.Join(file, "state")).Write("state.json", nil)
	if err == nil || !strings.Contains(err.Error(), "--state.path") {
		t.Errorf("the error is %v, want one that names --state.path", err)
	}
}

func TestSetAside(t *testing.T) {
	f := New(t.TempDir())
	if err := f.Write("state.json", []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	to, err := f.SetAside("state.json")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "damaged" {
		t.Errorf("set aside: %q, %v", got, err)
	}
	if _, err := f.Read("state.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// What a killed process left half written goes, and nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	f := New(dir)
	for _, name := range []string{"state.json", "listings/a.json"} {
		if err := f.Write(name, []byte("good")); err != nil {
			t.Fatal(err)
		}
	}
	stale := []string{".state.json.123.tmp", "listings/.a.json.9.tmp"}
	for _, name := range stale {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.Sweep()
	for _, name := range stale {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
	if got, err := f.Read("listings/a.json"); err != nil || string(got) != "good" {
		t.Errorf("the state was swept too: %q, %v", got, err)
	}
}

// A dry run reads and writes nothing.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	r := ReadOnly{Folder: New(dir)}
	if err := r.Write("state.json", nil); err == nil {
		t.Error("it writes")
	}
	if _, err := r.SetAside("state.json"); err == nil {
		t.Error("it sets aside")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it made the folder")
	}
}
