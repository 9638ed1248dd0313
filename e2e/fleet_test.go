package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mcp-sd/mcp-sd/e2e/instances"
)

// A behaviour is how an instance answers for its metrics.
type behaviour int

const (
	healthy   behaviour = iota
	broken              // answers 500
	hanging             // accepts and never answers
	loginPage           // answers 200 with HTML
	off                 // resets connections
)

// A fleet plays many MCP servers in one process: every address 127.x.y.z
// reaches the one listener, which answers by the address that was asked.
type fleet struct {
	port int

	mu        sync.Mutex
	instances map[string]*instance // by IP address
}

type instance struct {
	metrics http.Handler
	mode    behaviour
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	return newFleetOn(t, nil)
}

// newFleetOn plays a fleet on a host; nil is the machine itself.
func newFleetOn(t testing.TB, h *host) *fleet {
	t.Helper()
	f := &fleet{port: freePort(t), instances: map[string]*instance{}}
	listener, err := h.listen("tcp4", fmt.Sprintf(":%d", f.port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go func() { _ = server.Serve(instances.Listener{Listener: listener, Off: f.isOff}) }()
	t.Cleanup(func() { _ = server.Close() })
	return f
}

// add starts a healthy instance and returns its host:port. Its metrics carry
// the version, unless that is empty.
func (f *fleet) add(ip, version string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[ip] = &instance{metrics: instanceMetrics(version)}
	return f.address(ip)
}

func (f *fleet) address(ip string) string {
	return fmt.Sprintf("%s:%d", ip, f.port)
}

func (f *fleet) set(ip string, mode behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[ip].mode = mode
}

// instance returns what answers at ip; an address without one is off.
func (f *fleet) instance(ip string) (http.Handler, behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := f.instances[ip]; ok {
		return i.metrics, i.mode
	}
	return nil, off
}

func (f *fleet) isOff(local net.Addr) bool {
	_, mode := f.instance(ipOf(local))
	return mode == off
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	metrics, mode := f.instance(ipOf(local))
	switch mode {
	case healthy:
		metrics.ServeHTTP(w, r)
	case broken:
		http.Error(w, "out of order", http.StatusInternalServerError)
	case hanging:
		<-r.Context().Done()
	case loginPage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Please log in.</body></html>\n")
	case off:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			instances.Reset(conn)
		}
	}
}

func ipOf(addr net.Addr) string {
	return addr.(*net.TCPAddr).IP.String()
}

// instanceMetrics is what an instrumented MCP server exposes.
func instanceMetrics(version string) http.Handler {
	registry := prometheus.NewRegistry()
	operations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "mcp_server_operation_duration_seconds",
		Help: "Duration of MCP requests as seen by the server.",
	}, []string{"mcp_method_name"})
	operations.WithLabelValues("tools/call").Observe(0.02)
	registry.MustRegister(operations)
	if version != "" {
		info := prometheus.NewGauge(prometheus.GaugeOpts{
			Name:        "target_info",
			Help:        "The resource that these metrics belong to.",
			ConstLabels: prometheus.Labels{"service_name": "mcp-server", "service_version": version},
		})
		info.Set(1)
		registry.MustRegister(info)
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
