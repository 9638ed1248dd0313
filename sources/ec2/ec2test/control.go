package ec2test

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Control returns a handler that tells the server what happens, for tests that
// run it in a process of its own. Bodies are JSON, with the names of the types
// here:
//
//	PUT    /fake/instances   a list of Instance: launched, or replaced by id
//	DELETE /fake/instances?id=ID
//	PUT    /fake/ecs         an ECS: added, or replaced by name
//	DELETE /fake/tasks?id=ID stops a task
//	PUT    /fake/keys        {"AccessKey": …, "Secret": …, "Account": …}
//	PUT    /fake/roles       a Role
//	DELETE /fake/roles?arn=ARN   revokes it, and its sessions
//	PUT    /fake/machine     a Machine
//	PUT    /fake/faults      a Fault
//	DELETE /fake/faults      mends all
//	POST   /fake/expire      ends all sessions
//	GET    /fake/calls?action=ACTION   a list of Call
//
// Anything else goes to the server.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("PUT /fake/instances", put(func(list []Instance) { s.Launch(list...) }))
	mux.HandleFunc("DELETE /fake/instances", func(_ http.ResponseWriter, r *http.Request) { s.Forget(r.FormValue("id")) })
	mux.HandleFunc("PUT /fake/ecs", put(s.Run))
	mux.HandleFunc("DELETE /fake/tasks", func(_ http.ResponseWriter, r *http.Request) { s.Stop(r.FormValue("id")) })
	mux.HandleFunc("PUT /fake/keys", put(func(k struct{ AccessKey, Secret, Account string }) { s.AddKey(k.AccessKey, k.Secret, k.Account) }))
	mux.HandleFunc("PUT /fake/roles", put(s.AddRole))
	mux.HandleFunc("DELETE /fake/roles", func(_ http.ResponseWriter, r *http.Request) { s.Revoke(r.FormValue("arn")) })
	mux.HandleFunc("PUT /fake/machine", put(s.SetMachine))
	mux.HandleFunc("PUT /fake/faults", put(func(f Fault) { s.Fail(f) }))
	mux.HandleFunc("DELETE /fake/faults", func(http.ResponseWriter, *http.Request) { s.Mend() })
	mux.HandleFunc("POST /fake/expire", func(http.ResponseWriter, *http.Request) { s.Expire() })
	mux.HandleFunc("GET /fake/calls", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, append([]Call{}, s.Calls(r.FormValue("action"))...))
	})
	return mux
}

// put reads a body of one type.
func put[T any](do func(T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			http.Error(w, fmt.Sprintf("no %T: %v", v, err), http.StatusBadRequest)
			return
		}
		do(v)
	}
}
