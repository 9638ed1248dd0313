package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed pages
var pageFiles embed.FS

// pages are the parsed templates. All links on them are relative, so that they
// work behind a proxy that adds a path in front.
type pages struct {
	Options
	status, target, config *template.Template
	style                  string // name of the style sheet, which changes with its content
}

// frame is what every page has around its own content.
type frame struct {
	Title   string
	Here    string // which entry of the navigation it is
	Version string
	Style   string
	At      time.Time
	Page    any
}

// pages adds the pages for people.
func (o Options) pages(mux *http.ServeMux) error {
	p := &pages{Options: o}
	for name, t := range map[string]**template.Template{"status": &p.status, "target": &p.target, "config": &p.config} {
		parsed, err := template.New("").Funcs(functions()).ParseFS(pageFiles, "pages/frame.html", "pages/"+name+".html")
		if err != nil {
			return fmt.Errorf("reading the page %s: %w", name, err)
		}
		*t = parsed
	}
	if err := p.assets(mux); err != nil {
		return err
	}
	mux.HandleFunc("GET /{$}", p.showStatus)
	mux.HandleFunc("GET /target", p.showTarget)
	mux.HandleFunc("GET /config", p.showConfig)
	return nil
}

// assets serves the style sheet and the icon. The first may be kept for ever:
// another one has another name.
func (p *pages) assets(mux *http.ServeMux) error {
	for _, a := range []struct{ file, kind string }{
		{"style.css", "text/css; charset=utf-8"},
		{"icon.svg", "image/svg+xml"},
	} {
		body, err := pageFiles.ReadFile("pages/" + a.file)
		if err != nil {
			return fmt.Errorf("reading %s: %w", a.file, err)
		}
		name, keep := a.file, "max-age=3600"
		if a.file == "style.css" {
			sum := sha256.Sum256(body)
			name, keep = "style-"+hex.EncodeToString(sum[:6])+".css", "max-age=31536000, immutable"
			p.style = name
		}
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", keep)
			_, _ = w.Write(body)
		})
	}
	return nil
}

// show renders a page whole before the first byte leaves.
func (p *pages) show(w http.ResponseWriter, status int, t *template.Template, f frame) {
	f.Version, f.Style, f.At = p.Version, p.style, cmp.Or(f.At, p.Now())
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "frame.html", f); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// showConfig shows the configuration in force: to a browser as a page, to
// anything else as YAML.
func (p *pages) showConfig(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(p.Config())
		return
	}
	p.show(w, http.StatusOK, p.config, frame{Title: "Configuration", Here: "config", Page: string(p.Config())})
}

func (p *pages) showTarget(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), viewTimeout)
	defer cancel()
	page, status := p.targetPage(ctx, strings.TrimSpace(r.FormValue("address")))
	p.show(w, status, p.target, frame{Title: cmp.Or(page.Address, "Target"), Page: page})
}
