// Package registrytest is a small MCP registry for tests: it answers
// GET /v0.1/servers as the published API and the registry's own server (1.8) do,
// with cursors, tombstones and their quirks, and can be told to fail.
//
// It knows what a lister of servers needs and nothing more. The caveat: it was
// written after the API's description and that server's behaviour, and is held
// against a schema and an answer recorded from it; other registries may differ.
package registrytest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is one version of a server, as its publisher describes it.
type Server struct {
	Name, Title, Version string
	Remotes              []Remote
	Publisher            map[string]any // publisher-provided metadata
}

// Remote is an endpoint of a server.
type Remote struct {
	Type      string         `json:"type"`
	URL       string         `json:"url"`
	Variables map[string]any `json:"variables,omitempty"` // of a template
}

// Registry holds servers. It is an http.Handler.
type Registry struct {
	// Now is the registry's clock; nil is time.Now.
	Now func() time.Time
	// PageSize is the most that a page has, whatever limit says; 0: 100.
	PageSize int
	// Plain registries do not know updated_since and version, nor tell status,
	// times and which version is the latest.
	Plain bool
	// RefusesSince answers updated_since with status 400, and IgnoresSince does
	// not look at it.
	RefusesSince, IgnoresSince bool

	mu      sync.Mutex
	records []*record // by name and version
	fault   *Fault
	calls   []url.Values
}

// record is a server in the registry.
type record struct {
	Server
	status             string
	published, updated time.Time
	latest             bool
}

func (r *Registry) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// Publish adds versions, as of now. The one published last is the latest of its
// server; of the change to the one before no updatedAt tells.
func (r *Registry) Publish(servers ...Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range servers {
		for _, other := range r.records {
			other.latest = other.latest && other.Name != s.Name
		}
		r.drop(s.Name, s.Version)
		now := r.now().UTC()
		r.records = append(r.records, &record{Server: s, status: "active", published: now, updated: now, latest: true})
	}
	slices.SortFunc(r.records, func(a, b *record) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
}

// SetStatus makes a version active, deprecated or deleted. Which one is the
// latest is found anew; only the version named gets a new updatedAt.
func (r *Registry) SetStatus(name, version, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var latest *record
	for _, rec := range r.records {
		if rec.Name != name {
			continue
		}
		if rec.Version == version {
			rec.status, rec.updated = status, r.now().UTC()
		}
		rec.latest = false
		if latest == nil || rec.before(latest) {
			latest = rec
		}
	}
	if latest != nil {
		latest.latest = true
	}
}

// before reports whether a version is the latest rather than another one.
func (r *record) before(o *record) bool {
	if deleted := r.status == "deleted"; deleted != (o.status == "deleted") {
		return !deleted
	}
	return r.published.After(o.published)
}

// Remove takes a version out without a trace, as somebody with a database does.
func (r *Registry) Remove(name, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(name, version)
}

func (r *Registry) drop(name, version string) {
	r.records = slices.DeleteFunc(r.records, func(rec *record) bool { return rec.Name == name && rec.Version == version })
}

// Calls returns the questions so far.
func (r *Registry) Calls() []url.Values {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// ServeHTTP answers a question.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/v0.1/servers") {
		http.NotFound(w, req)
		return
	}
	r.mu.Lock()
	q := req.URL.Query()
	r.calls = append(r.calls, q)
	fault := r.fault
	status, answer := r.answer(q)
	r.mu.Unlock()
	w.Header().Set("Date", r.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	if fault.concerns(q) {
		fault.serve(w, req, answer)
		return
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func problem(status int, detail string) (int, map[string]any) {
	return status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail}
}

// answer is the page that is asked for.
func (r *Registry) answer(q url.Values) (int, map[string]any) {
	limit, err := strconv.Atoi(cmp.Or(q.Get("limit"), "30"))
	if err != nil || limit < 1 || limit > 100 {
		return problem(http.StatusUnprocessableEntity, "expected number between 1 and 100")
	}
	if r.PageSize > 0 {
		limit = min(limit, r.PageSize)
	}
	wanted, detail := r.filter(q)
	if detail != "" {
		return problem(http.StatusBadRequest, detail)
	}
	servers := []any{}
	metadata := map[string]any{}
	for _, rec := range r.records {
		if !wanted(rec) {
			continue
		}
		servers = append(servers, rec.json(r.Plain))
		if len(servers) == limit {
			metadata["nextCursor"] = rec.Name + ":" + rec.Version
			break
		}
	}
	metadata["count"] = len(servers)
	return http.StatusOK, map[string]any{"servers": servers, "metadata": metadata}
}

// filter is what the parameters select, or why they are refused.
func (r *Registry) filter(q url.Values) (wanted func(*record) bool, refusal string) {
	var since time.Time
	if text := q.Get("updated_since"); text != "" && !r.Plain && !r.IgnoresSince {
		if r.RefusesSince {
			return nil, "Unknown parameter updated_since"
		}
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, "Invalid updated_since format"
		}
	}
	deleted := !since.IsZero() || q.Get("include_deleted") == "true"
	name, version, _ := strings.Cut(q.Get("cursor"), ":")
	return func(rec *record) bool {
		switch {
		case cmp.Or(strings.Compare(rec.Name, name), strings.Compare(rec.Version, version)) <= 0,
			!strings.Contains(strings.ToLower(rec.Name), strings.ToLower(q.Get("search"))),
			rec.status == "deleted" && !deleted,
			!since.IsZero() && !rec.updated.After(since):
			return false
		case r.Plain || q.Get("version") == "":
			return true
		case q.Get("version") == "latest":
			return rec.latest
		}
		return rec.Version == q.Get("version")
	}, ""
}

func (r *record) json(plain bool) map[string]any {
	server := map[string]any{
		"$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
		"name":    r.Name, "description": "A server of " + r.Name, "version": r.Version,
	}
	if r.Title != "" {
		server["title"] = r.Title
	}
	if r.Remotes != nil {
		server["remotes"] = r.Remotes
	}
	if r.Publisher != nil {
		server["_meta"] = map[string]any{"io.modelcontextprotocol.registry/publisher-provided": r.Publisher}
	}
	if plain {
		return map[string]any{"server": server}
	}
	return map[string]any{"server": server, "_meta": map[string]any{"io.modelcontextprotocol.registry/official": map[string]any{
		"status": r.status, "statusChangedAt": r.published, "publishedAt": r.published, "updatedAt": r.updated, "isLatest": r.latest,
	}}}
}
