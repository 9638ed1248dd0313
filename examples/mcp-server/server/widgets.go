package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

// Who changes a widget's state: its user, at the page, or the model, by a tool.
const (
	updatedByUser  = "user"
	updatedByModel = "model"
)

const widgetsKept = 1000

func widgetTypes() []string  { return []string{"chart", "table", "list"} }
func displayModes() []string { return []string{"inline", "pip", "fullscreen"} }

const widgetPage = `<!doctype html>
<title>{{.Title}}</title>
{{- if eq .Type "chart"}}
<svg viewBox="0 0 100 60">{{range $i, $v := .Values}}<rect x="{{$i}}0" y="0" width="8" height="{{$v}}"/>{{end}}</svg>
{{- else if eq .Type "table"}}
<table>{{range $i, $v := .Values}}<tr><td>{{$i}}<td>{{$v}}{{end}}</table>
{{- else}}
<ul>{{range .Values}}<li>{{.}}{{end}}</ul>
{{- end}}
<p>{{.Mode}}, state {{.State}}
`

// widgets renders what clients show in their conversation, and keeps it for
// whoever opens its page.
type widgets struct {
	m     *metrics.Metrics
	store *store
	off   bool // the fault
	page  *template.Template
	cache *cache // of rendered pages

	mu   sync.Mutex
	next int
	all  map[int]widget
}

type widget struct {
	Type, Mode, Title, State string
	Values                   []float64
}

func newWidgets(m *metrics.Metrics, st *store, off bool) *widgets {
	return &widgets{
		m: m, store: st, off: off, all: map[int]widget{},
		page:  template.Must(template.New("widget").Parse(widgetPage)),
		cache: newCache(m, cacheWidgets, 50),
	}
}

type showIn struct {
	Type   string    `json:"type" jsonschema:"chart, table or list"`
	Mode   string    `json:"display_mode" jsonschema:"inline, pip or fullscreen"`
	Title  string    `json:"title"`
	Values []float64 `json:"values" jsonschema:"what to show, at most 100 numbers"`
}

type showOut struct {
	ID int `json:"id"`
}

// show renders a widget into the result. With the fault switched on, it says
// nothing of what is missing, as a broken renderer would not.
func (w *widgets) show(ctx context.Context, _ *mcp.CallToolRequest, in showIn) (*mcp.CallToolResult, showOut, error) {
	if !slices.Contains(widgetTypes(), in.Type) || !slices.Contains(displayModes(), in.Mode) || len(in.Values) > 100 {
		return nil, showOut{}, invalid(fmt.Errorf("a widget is one of %v, shown %v, and has at most 100 values", widgetTypes(), displayModes()))
	}
	id := w.add(widget{in.Type, in.Mode, in.Title, "new", in.Values})
	if w.off {
		return &mcp.CallToolResult{Content: []mcp.Content{}}, showOut{id}, nil
	}
	page, err := w.render(ctx, id)
	if err != nil {
		return nil, showOut{}, err
	}
	resource := &mcp.ResourceContents{URI: fmt.Sprintf("ui://widgets/%d", id), MIMEType: "text/html", Text: string(page)}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.EmbeddedResource{Resource: resource}}}, showOut{id}, nil
}

func (w *widgets) add(x widget) (id int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	w.all[w.next] = x
	delete(w.all, w.next-widgetsKept)
	return w.next
}

var errNoWidget = errors.New("there is no such widget")

// render makes the widget's page, with what the database has to say about it.
func (w *widgets) render(ctx context.Context, id int) ([]byte, error) {
	w.mu.Lock()
	x, ok := w.all[id]
	w.mu.Unlock()
	if !ok {
		return nil, invalid(errNoWidget)
	}
	var page bytes.Buffer
	err := w.m.Render(x.Type, x.Mode, func() error {
		if _, _, err := w.store.document(ctx, id%documentCount); err != nil {
			return err
		}
		return w.page.Execute(&page, x)
	})
	if err != nil {
		return nil, fmt.Errorf("rendering widget %d: %w", id, err)
	}
	w.cache.put(id, page.Bytes())
	return page.Bytes(), nil
}

type updateIn struct {
	ID    int    `json:"id"`
	State string `json:"state" jsonschema:"at most 100 characters"`
}

func (w *widgets) update(id int, state, source string) error {
	if len(state) > 100 {
		return invalid(errors.New("a state has at most 100 characters"))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	x, ok := w.all[id]
	if !ok {
		return invalid(errNoWidget)
	}
	x.State = state
	w.all[id] = x
	w.m.WidgetUpdated(x.Type, source)
	return nil
}

func (w *widgets) updateByTool(_ context.Context, _ *mcp.CallToolRequest, in updateIn) (*mcp.CallToolResult, any, error) {
	return nil, nil, w.update(in.ID, in.State, updatedByModel)
}

// serve shows a widget's page.
func (w *widgets) serve(rw http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		http.Error(rw, "widgets have numbers", http.StatusBadRequest)
		return
	}
	if page, hit := w.cache.get(id); hit {
		writePage(rw, page.([]byte))
		return
	}
	if w.off {
		http.Error(rw, "not rendered", http.StatusServiceUnavailable)
		return
	}
	page, err := w.render(r.Context(), id)
	switch {
	case errors.Is(err, errNoWidget):
		http.Error(rw, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
	default:
		writePage(rw, page)
	}
}

func writePage(w http.ResponseWriter, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // who asked is gone, if this fails
}

// serveUpdate is what a widget's page sends when its user does something.
func (w *widgets) serveUpdate(rw http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	var in updateIn
	if err == nil {
		err = json.NewDecoder(http.MaxBytesReader(rw, r.Body, 10<<10)).Decode(&in)
	}
	if err == nil {
		err = w.update(id, strings.TrimSpace(in.State), updatedByUser)
	}
	switch {
	case errors.Is(err, errNoWidget):
		http.Error(rw, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(rw, err.Error(), http.StatusBadRequest)
	default:
		rw.WriteHeader(http.StatusNoContent)
	}
}
