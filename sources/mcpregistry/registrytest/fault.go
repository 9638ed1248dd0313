package registrytest

import (
	"encoding/json"
	"net/http"
	"net/url"
)

// Fault is a way in which a registry fails. The first kind that is set counts.
type Fault struct {
	FromPage int    // 2: the first page is as it should be
	Status   int    // an error with this status
	Body     string // status 200 and this text in place of an answer
	Redirect string // to this URL
	Cut      bool   // the connection ends in the middle of the answer
	Loop     bool   // every page names the same next one
	Short    bool   // the page lacks a server that it counts
	Endless  bool   // the answer does not end
	Hang     bool   // there is no answer
}

// Fail has the registry fail from now on.
func (r *Registry) Fail(f Fault) { r.set(&f) }

// Mend ends a fault.
func (r *Registry) Mend() { r.set(nil) }

func (r *Registry) set(f *Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

func (f *Fault) concerns(q url.Values) bool {
	return f != nil && (f.FromPage < 2 || q.Get("cursor") != "")
}

func (f *Fault) serve(w http.ResponseWriter, req *http.Request, answer map[string]any) {
	switch {
	case f.Hang:
		<-req.Context().Done()
	case f.Endless:
		for line := []byte(`{"servers": [` + "\n"); req.Context().Err() == nil; line = []byte("                \n") {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	case f.Status != 0:
		http.Error(w, http.StatusText(f.Status)+": "+req.Header.Get("Authorization"), f.Status)
	case f.Redirect != "":
		http.Redirect(w, req, f.Redirect, http.StatusFound)
	case f.Body != "":
		_, _ = w.Write([]byte(f.Body))
	default:
		f.damage(w, answer)
	}
}

// damage sends an answer of which something is missing.
func (f *Fault) damage(w http.ResponseWriter, answer map[string]any) {
	servers, _ := answer["servers"].([]any)
	metadata, _ := answer["metadata"].(map[string]any)
	switch {
	case f.Loop:
		metadata["nextCursor"] = ":"
	case f.Short:
		answer["servers"] = servers[:max(len(servers)-1, 0)]
		metadata["count"] = max(len(servers), 1)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err) // it came out of the registry
	}
	if f.Cut {
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text)
	if f.Cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
