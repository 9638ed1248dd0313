package consul

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
)

// about reports whether a question with this path is about e.
func about(path string, e *api.ServiceEntry) bool {
	for _, prefix := range []string{"/v1/health/service/", "/v1/catalog/service/"} {
		if service, ok := strings.CutPrefix(path, prefix); ok {
			return e.Service.Service == service
		}
	}
	if service, ok := strings.CutPrefix(path, "/v1/health/connect/"); ok {
		return e.Service.Proxy != nil && e.Service.Proxy.DestinationServiceName == service
	}
	return true
}

// answerBeside answers what neither the catalogue nor the health endpoint does:
// what the agent knows of itself, and of peers.
func (f *fake) answerBeside(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name, ok := strings.CutPrefix(r.URL.Path, "/v1/peering/"); ok {
		f.answerPeering(w, name)
		return true
	}
	if service, ok := strings.CutPrefix(r.URL.Path, "/v1/agent/health/service/name/"); ok {
		f.answerLocal(w, r, service)
		return true
	}
	switch r.URL.Path {
	case "/v1/agent/self":
		f.write(w, r.URL.Path, map[string]any{
			"Config": map[string]any{"Datacenter": "dc1", "NodeName": "host-1"},
			"Member": map[string]any{"Addr": "10.0.0.1"},
			"Meta":   map[string]string{"rack": "r1"},
		})
	case "/v1/agent/services":
		f.answerServices(w, r)
	default:
		return false
	}
	return true
}

func (f *fake) answerPeering(w http.ResponseWriter, name string) {
	p, ok := f.peerings[name]
	if !ok {
		http.Error(w, "Peering not found for "+name, http.StatusNotFound)
		return
	}
	w.Header().Set("X-Consul-Index", "7")
	w.Header().Set("X-Consul-LastContact", "0")
	w.Header().Set("X-Consul-KnownLeader", "true")
	f.write(w, "/v1/peering/"+name, p)
}

// answerServices says what is registered with the agent, without the headers of
// an answer that a leader vouches for.
func (f *fake) answerServices(w http.ResponseWriter, r *http.Request) {
	services, filter := map[string]*api.AgentService{}, r.URL.Query().Get("filter")
	for _, e := range f.entries {
		switch {
		case f.acl != nil && !f.acl(r.Header.Get("X-Consul-Token"), e):
			w.Header().Set("X-Consul-Results-Filtered-By-ACLs", "true")
		case filter == "" || f.filters[filter](e):
			services[e.Service.ID] = e.Service
		}
	}
	f.write(w, r.URL.Path, services)
}

// answerLocal says how the instances of a service are, also by its status.
func (f *fake) answerLocal(w http.ResponseWriter, r *http.Request, service string) {
	infos, code, state := []api.AgentServiceChecksInfo{}, http.StatusNotFound, "ServiceName "+service+" Not Found"
	for _, e := range f.entries {
		if e.Service.Service != service {
			continue
		}
		if f.acl != nil && !f.acl(r.Header.Get("X-Consul-Token"), e) {
			http.Error(w, "Permission denied", http.StatusForbidden)
			return
		}
		infos = append(infos, api.AgentServiceChecksInfo{AggregatedStatus: e.Checks.AggregatedStatus(), Service: e.Service, Checks: e.Checks})
		if c := healthCode(e.Checks.AggregatedStatus()); code == http.StatusNotFound || c > code {
			code, state = c, e.Checks.AggregatedStatus()
		}
	}
	slices.SortFunc(infos, func(a, b api.AgentServiceChecksInfo) int { return strings.Compare(a.Service.ID, b.Service.ID) })
	w.Header().Set("X-Consul-Reason", state)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	f.write(w, r.URL.Path, infos)
}

func healthCode(state string) int {
	switch state {
	case api.HealthPassing:
		return http.StatusOK
	case api.HealthWarning:
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

func (f *fake) write(w http.ResponseWriter, path string, what any) {
	body, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	if f.edit != nil {
		body = f.edit(path, body)
	}
	_, _ = w.Write(body)
}
