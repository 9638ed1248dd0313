package mcpregistry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"time"
)

// A page is one answer to GET /v0.1/servers: ServerList of the published API.
// Only what is used is read; what else a registry adds is no error.
type page struct {
	Servers  *[]entry `json:"servers"`
	Metadata struct {
		NextCursor string `json:"nextCursor"`
		OldCursor  string `json:"next_cursor"` // as it was called before v0.1; some say it still
		Count      *int   `json:"count"`       // of the servers on this page
	} `json:"metadata"`
}

// An entry is one version of a server: ServerResponse of the published API.
type entry struct {
	Server struct {
		Name    string   `json:"name"`
		Title   string   `json:"title"`
		Version string   `json:"version"`
		Remotes []remote `json:"remotes"`
		Meta    struct {
			Publisher json.RawMessage `json:"io.modelcontextprotocol.registry/publisher-provided"`
		} `json:"_meta"`
	} `json:"server"`
	Meta struct {
		Official struct {
			Status    string    `json:"status"`
			UpdatedAt timestamp `json:"updatedAt"`
			IsLatest  *bool     `json:"isLatest"`
		} `json:"io.modelcontextprotocol.registry/official"`
	} `json:"_meta"`
}

// A remote is one endpoint of a server.
type remote struct {
	Type string `json:"type"` // streamable-http or sse
	URL  string `json:"url"`  // may be a template with {variables}
}

// A timestamp that can't be read is none: then changes can't be asked for, and
// every listing is a full one.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		t.Time, _ = time.Parse(time.RFC3339, text)
	}
	return nil
}

// readPage takes a whole answer. It is strict about what could hide a server:
// an answer that ends early, has no list, lists fewer servers than it counts, or
// has one without a name.
func readPage(body []byte) ([]entry, string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	var p page
	if err := decoder.Decode(&p); err != nil {
		return nil, "", badAnswer("the answer is no list of servers, or was cut off: %w", plain(err))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, "", badAnswer("after the list of servers the answer goes on")
	}
	if p.Servers == nil {
		return nil, "", badAnswer("the answer has no list of servers")
	}
	all := *p.Servers
	if n := p.Metadata.Count; n != nil && *n != len(all) {
		return nil, "", badAnswer("the answer counts %d servers and has %d", *n, len(all))
	}
	for i := range all {
		if all[i].Server.Name == "" {
			return nil, "", badAnswer("server %d of the answer has no name", i+1)
		}
	}
	return all, cmp.Or(p.Metadata.NextCursor, p.Metadata.OldCursor), nil
}

// plain is an error of the decoder without what the answer held.
func plain(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// status of the server; a registry that tells none has only active ones.
func (e *entry) status() string { return cmp.Or(e.Meta.Official.Status, statusActive) }

const (
	statusActive     = "active"
	statusDeprecated = "deprecated"
	statusDeleted    = "deleted"
)
