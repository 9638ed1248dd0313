package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const (
	production = "[\n  {\n    \"targets\": [\n      \"10.0.0.1:80\"\n    ],\n    \"labels\": {}\n  }\n]\n"
	staging    = "[\n  {\n    \"targets\": [\n      \"10.0.0.2:80\"\n    ],\n    \"labels\": {}\n  }\n]\n"
)

func output(path, body string) File { return File{Path: path, Body: []byte(body)} }

// Contract §9: /sd and /sd/FILE are the very bytes of the files, with an entity
// tag; 503 until they are loaded, 404 for an unknown one.
func TestSD(t *testing.T) {
	var files []File
	h := handler(t, fleet(1), func() []File { return files })
	for _, path := range []string{"/sd", "/sd/mcp.json"} {
		if w := get(h, path); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s before the files are loaded: %d", path, w.Code)
		}
	}
	files = []File{output("/out/mcp.json", production)}
	for _, path := range []string{"/sd", "/sd/mcp.json", "/sd/out/mcp.json"} {
		w := get(h, path)
		if w.Code != 200 || w.Body.String() != production || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q %v", path, w.Code, w.Body, w.Header())
		}
		tag := http.Header{"If-None-Match": {w.Header().Get("Etag")}}
		if again := ask(h, "GET", path, tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s with the right entity tag: %d %q", path, again.Code, again.Body)
		}
		files = []File{output("/out/mcp.json", staging)}
		if again := ask(h, "GET", path, tag); again.Code != 200 || again.Body.String() != staging {
			t.Errorf("%s with an old entity tag: %d %q", path, again.Code, again.Body)
		}
		files = []File{output("/out/mcp.json", production)}
	}
	for _, path := range []string{"/sd/", "/sd/other.json", "/sd/cp.json", "/sd/../mcp.json/x"} {
		if w := get(h, path); w.Code == 200 {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
}

// Several files are one list, and a broken one never makes it a short one.
func TestSDOfSeveralFiles(t *testing.T) {
	files := []File{output("/a/mcp.json", production), output("/b/empty.json", "[]\n"), output("/b/mcp.json", staging)}
	h := handler(t, fleet(1), func() []File { return files })
	w := get(h, "/sd")
	var groups []struct{ Targets []string }
	if err := json.Unmarshal(w.Body.Bytes(), &groups); err != nil || len(groups) != 2 || groups[1].Targets[0] != "10.0.0.2:80" {
		t.Errorf("%d %q: %v", w.Code, w.Body, err)
	}
	if again := get(h, "/sd"); again.Header().Get("Etag") != w.Header().Get("Etag") {
		t.Error("the entity tag changes without the files")
	}
	if w := get(h, "/sd/mcp.json"); w.Code != 404 || !strings.Contains(w.Body.String(), "/sd/a/mcp.json") {
		t.Errorf("an ambiguous name: %d %q", w.Code, w.Body)
	}
	if w := get(h, "/sd/b/mcp.json"); w.Code != 200 || w.Body.String() != staging {
		t.Errorf("a path that is not ambiguous: %d %q", w.Code, w.Body)
	}
	for _, broken := range []string{"", "[", `{"targets": []}`, "[]]"} {
		files[1] = output("/b/empty.json", broken)
		if w := get(h, "/sd"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "/b/empty.json is broken") {
			t.Errorf("with a file that says %q: %d %q", broken, w.Code, w.Body)
		}
	}
	files = files[:0]
	if w := get(h, "/sd"); w.Code != 200 || w.Body.String() != "[]\n" {
		t.Errorf("no file: %d %q", w.Code, w.Body)
	}
}
