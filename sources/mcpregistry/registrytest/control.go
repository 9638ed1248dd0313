package registrytest

import (
	"encoding/json"
	"net/http"
)

// Control is the registry with a way to tell it what happens, for tests in which
// it is a program of its own:
//
//	PUT    /fake/servers  [{"Name": …, "Version": …, "Remotes": […]}, …]   publishes
//	DELETE /fake/servers  [{"Name": …, "Version": …}, …]                    leaves no trace of them
//	PUT    /fake/status   {"Name": …, "Version": …, "Status": "deleted"}
//	PUT    /fake/fault    {"Status": 500}: any field of Fault
//	DELETE /fake/fault
//	GET    /fake/calls
func (r *Registry) Control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", r)
	handle(mux, "PUT /fake/servers", func(servers []Server) { r.Publish(servers...) })
	handle(mux, "DELETE /fake/servers", func(servers []Server) {
		for _, s := range servers {
			r.Remove(s.Name, s.Version)
		}
	})
	handle(mux, "PUT /fake/status", func(s struct{ Name, Version, Status string }) { r.SetStatus(s.Name, s.Version, s.Status) })
	handle(mux, "PUT /fake/fault", r.Fail)
	mux.HandleFunc("DELETE /fake/fault", func(http.ResponseWriter, *http.Request) { r.Mend() })
	mux.HandleFunc("GET /fake/calls", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Calls())
	})
	return mux
}

// handle does what a request's body says.
func handle[T any](mux *http.ServeMux, pattern string, do func(T)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		var body T
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		do(body)
	})
}
