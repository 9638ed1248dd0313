package writer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	manifestName    = "manifest.json"
	manifestVersion = 1
)

// manifest says which files of a directory are mcp-sd's own (contract §7). A
// name is entered before its file is first renamed into place, and taken out
// after the file was deleted: after a crash it may name a file that isn't
// there, never miss one that is.
type manifest struct {
	owned map[string]*claim
	dirty bool
}

// claim is one owned name.
type claim struct {
	Name string `json:"name"`
	// Layout is the template and the number of shards that the file was last
	// true to; another one than the configuration's means that its targets
	// belong elsewhere now. Empty for an adopted file.
	Layout string `json:"layout,omitempty"`
	// EmptySince is since when the file is [] because its last target left.
	EmptySince time.Time `json:"empty_since,omitzero"`
}

type manifestFile struct {
	Version int      `json:"version"`
	Files   []*claim `json:"files"`
}

// errDamaged is a manifest that can't be understood, as opposed to one that
// can't be read.
var errDamaged = errors.New("the manifest is damaged")

func (d *directory) manifestPath() string { return filepath.Join(d.stage, manifestName) }

// readManifest reads the manifest; where there is none, nothing is owned.
func (d *directory) readManifest() (manifest, error) {
	m := manifest{owned: map[string]*claim{}}
	b, err := os.ReadFile(d.manifestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("reading which files of %q are ours: %w: %s", d.path, err, remedy("", d.path, err))
	}
	var f manifestFile
	if err := json.Unmarshal(b, &f); err != nil {
		return m, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if f.Version > manifestVersion {
		return m, fmt.Errorf("%q is of version %d, written by a newer mcp-sd: this one knows %d: run the newer one", d.manifestPath(), f.Version, manifestVersion)
	}
	for _, c := range f.Files {
		if c == nil || c.Name == "" || c.Name != filepath.Base(c.Name) || !strings.HasSuffix(c.Name, ".json") {
			return m, fmt.Errorf("%w: it names a file that mcp-sd would not write", errDamaged)
		}
		m.owned[c.Name] = c
	}
	if f.Version < 1 {
		return m, fmt.Errorf("%w: it has no version", errDamaged)
	}
	return m, nil
}

// saveManifest writes the manifest if it has changed, as atomically as any
// other file.
func (w *Writer) saveManifest(d *directory) error {
	if !d.manifest.dirty {
		return nil
	}
	f := manifestFile{Version: manifestVersion, Files: []*claim{}}
	for _, c := range d.manifest.owned {
		f.Files = append(f.Files, c)
	}
	slices.SortFunc(f.Files, func(a, b *claim) int { return strings.Compare(a.Name, b.Name) })
	body, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	info, err := w.fs.store(draft{dir: d, path: d.manifestPath(), body: append(body, '\n'), mode: 0o600, gid: -1})
	if info != nil {
		d.manifest.dirty = false
	}
	return err
}

// loadManifest reads the manifest, or makes it anew where it is damaged.
func (w *Writer) loadManifest(d *directory) error {
	m, err := d.readManifest()
	if err == nil {
		d.manifest = m
		return nil
	}
	if !errors.Is(err, errDamaged) {
		return err
	}
	aside := d.manifestPath() + ".damaged"
	found, ferr := w.recognise(d)
	if ferr != nil {
		return ferr
	}
	d.manifest = manifest{owned: found, dirty: true}
	w.options.Logger.Warn("the list of our own files is damaged and was made anew from the files that are recognisably ours; any other has to be adopted",
		"manifest", d.manifestPath(), "set_aside", aside, "recognised", len(found), "err", err)
	if w.options.DryRun {
		return nil
	}
	if err := w.fs.rename(d.manifestPath(), aside); err != nil {
		return stepError(aside, stepRename, d.path, err)
	}
	return w.saveManifest(d)
}

// recognise finds the files of a directory that mcp-sd wrote: regular ones
// whose every target carries our mark and would go to this very file today. A
// list without targets is taken if an output could have written it: nothing
// can be lost with it.
func (w *Writer) recognise(d *directory) (map[string]*claim, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("looking for our own files in %q: %w: %s", d.path, err, remedy("", d.path, err))
	}
	found := map[string]*claim{}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		o := w.outputNamed(d, e.Name())
		if o == nil {
			continue
		}
		body, err := w.fs.read(filepath.Join(d.path, e.Name()))
		if err == nil && w.isOurs(filepath.Join(d.path, e.Name()), body) {
			found[e.Name()] = &claim{Name: e.Name(), Layout: o.layout}
		}
	}
	return found, nil
}

func (w *Writer) isOurs(path string, body []byte) bool {
	targets, err := Parse(body)
	if err != nil {
		return false
	}
	return len(targets) == 0 && bytes.Equal(body, emptyBody()) ||
		len(targets) > 0 && !slices.ContainsFunc(targets, func(t target.Target) bool {
			return t.Source == "" || !slices.Contains(w.Files(t), path)
		})
}

// emptyBody is a list without targets.
func emptyBody() []byte { return []byte("[]\n") }

// outputNamed returns the output that can write a name in a directory; there
// is at most one.
func (w *Writer) outputNamed(d *directory, name string) *output {
	literal := template{parts: []part{{literal: name}}}
	for _, o := range w.outputs {
		if o.dir == d && o.tmpl.overlaps(literal) {
			return o
		}
	}
	return nil
}
