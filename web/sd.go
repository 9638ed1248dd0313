package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// served is the output files as an http_sd endpoint (contract §9).
type served struct {
	files func() []File

	mu     sync.Mutex
	tags   map[string]tagged // by path
	merged merged
}

// tagged remembers the entity tag of the bytes that it was made from.
type tagged struct {
	body []byte
	etag string
}

// merged remembers all files as one, and the bytes that it was made from.
type merged struct {
	parts [][]byte
	body  []byte
}

// one serves the very bytes of a file.
func (s *served) one(w http.ResponseWriter, r *http.Request) {
	files := s.files()
	if files == nil {
		notLoaded(w)
		return
	}
	f, err := pick(files, r.PathValue("path"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	s.serve(w, r, f.Path, f.Body)
}

// all serves all files as one: of a single file its very bytes, of several
// their groups one after the other.
func (s *served) all(w http.ResponseWriter, r *http.Request) {
	files := s.files()
	if files == nil {
		notLoaded(w)
		return
	}
	body, err := s.join(files)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.serve(w, r, "", body)
}

// notLoaded keeps Prometheus at what it knows: of a status other than 200 it
// takes nothing.
func notLoaded(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "the published targets are being loaded", http.StatusServiceUnavailable)
}

// pick finds a file by its name, or by as much of its path as makes it the only
// one.
func pick(files []File, path string) (File, error) {
	var found []File
	for _, f := range files {
		if strings.HasSuffix(f.Path, "/"+path) && path != "" {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return File{}, fmt.Errorf("there is no output file %q; there are:\n%s", path, paths(files))
	case 1:
		return found[0], nil
	}
	return File{}, fmt.Errorf("several output files are called %q: write more of the path, such as /sd%s, of one of these:\n%s", path, found[0].Path, paths(found))
}

func paths(files []File) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Path + "\n")
	}
	return b.String()
}

func (s *served) serve(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json") // the one that Prometheus takes
	h.Set("Cache-Control", "no-cache")        // ask again; a 304 is cheap
	h.Set("ETag", s.etag(path, body))
	// Without a time: two writes may come within the second that it would count.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// etag is made once for the same memory: an unchanged file costs nothing.
func (s *served) etag(path string, body []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tags[path]; ok && same(t.body, body) {
		return t.etag
	}
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	if s.tags == nil {
		s.tags = map[string]tagged{}
	}
	s.tags[path] = tagged{body, etag}
	return etag
}

// join makes one array of several. A file that somebody else broke spoils the
// whole: without its targets it would be a short list.
func (s *served) join(files []File) ([]byte, error) {
	if len(files) == 1 {
		return files[0].Body, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := make([][]byte, len(files))
	for i, f := range files {
		parts[i] = f.Body
	}
	if s.merged.body != nil && slices.EqualFunc(s.merged.parts, parts, same) {
		return s.merged.body, nil
	}
	body := []byte("[")
	for _, f := range files {
		groups, err := inside(f)
		if err != nil {
			return nil, err
		}
		if len(groups) > 0 && len(body) > 1 {
			body = append(body, ',')
		}
		body = append(body, groups...)
	}
	s.merged = merged{parts, append(body, "]\n"...)}
	s.forget(files)
	return s.merged.body, nil
}

// inside is what stands between the brackets of a file.
func inside(f File) ([]byte, error) {
	body := bytes.TrimSpace(f.Body)
	if !bytes.HasPrefix(body, []byte("[")) || !json.Valid(body) {
		return nil, fmt.Errorf("%s is broken at the moment; mcp-sd is about to write it again", f.Path)
	}
	return bytes.TrimRight(body[1:len(body)-1], " \t\r\n"), nil
}

// forget lets go of files that are gone.
func (s *served) forget(files []File) {
	for path := range s.tags {
		if path != "" && !slices.ContainsFunc(files, func(f File) bool { return f.Path == path }) {
			delete(s.tags, path)
		}
	}
}

// same reports whether two slices are the same memory: bodies are never
// modified.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
