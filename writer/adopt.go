package writer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Adopt takes over a file_sd file that something else wrote into one of the
// output directories: it becomes ours as it is, and its targets count as
// published (contract §2, §7). A file that is ours already stays so.
func (w *Writer) Adopt(path string) error {
	if err := w.ensureLoaded(); err != nil {
		return err
	}
	d, err := w.adoptable(path)
	if err != nil {
		return adoptError(path, err)
	}
	name := filepath.Base(path)
	if d.manifest.owned[name] != nil {
		return nil
	}
	d.manifest.owned[name] = &claim{Name: name}
	d.manifest.dirty = true
	if err := w.saveManifest(d); err != nil && d.manifest.dirty {
		delete(d.manifest.owned, name)
		return adoptError(path, err)
	}
	f := w.file(d, name)
	f.claim = d.manifest.owned[name]
	f.trouble.clear()
	if err := w.look(f); err != nil {
		return adoptError(path, err)
	}
	w.show()
	return nil
}

// adoptable returns the directory of a file that can be taken over.
func (w *Writer) adoptable(path string) (*directory, error) {
	if w.options.DryRun {
		return nil, errors.New("this writer was opened for a dry run")
	}
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	d := find(w.dirs, real)
	if d == nil {
		return nil, errors.New("it is in no output directory: give an output a path in its directory first")
	}
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".json") {
		return nil, errors.New("only visible files that end in .json can be adopted: convert it first")
	}
	info, err := os.Lstat(filepath.Join(d.path, name))
	if err != nil {
		return nil, err
	}
	if err := checkReplaceable(path, info); err != nil {
		return nil, err
	}
	body, err := w.fs.read(filepath.Join(d.path, name))
	if err != nil {
		return nil, err
	}
	if _, err := Parse(body); err != nil {
		return nil, fmt.Errorf("it is no file_sd file that mcp-sd would write: %w: mend it first", err)
	}
	return d, nil
}

func adoptError(path string, err error) error { return fmt.Errorf("adopting %s: %w", path, err) }
