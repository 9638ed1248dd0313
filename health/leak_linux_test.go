package health

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/mcp-sd/mcp-sd/target"
)

// A host to which no connection is kept is forgotten: fleets whose addresses
// come and go would else fill the memory. (On Linux all of 127.0.0.0/8 is here.)
func TestHostsAreForgotten(t *testing.T) {
	const hosts, each = 2000, 100 // bytes that one may cost; net/http would keep 450
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool, 1)
	server := httptest.NewUnstartedServer(say(text004, page))
	server.Listener.Close()
	server.Listener = l
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			ended <- true
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s, p := spec(t, nil), NewHTTPProber(BodyMemory)
	s.share(0)
	probeAll := func(from int) (left uint64) {
		for i := from; i < from+hosts; i++ {
			address := fmt.Sprintf("127.1.%d.%d:%d", i/250, i%250+1, l.Addr().(*net.TCPAddr).Port)
			k := target.Key{Scheme: "http", Address: address, Path: "/metrics"}
			if r := p.Probe(context.Background(), Check{Key: k, Spec: s}); !r.Class.Up() {
				t.Fatalf("%s: %s (%s)", address, r.Class, r.Detail)
			}
			<-ended
		}
		runtime.GC()
		runtime.GC() // what the first one found in pools
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := probeAll(0)
	if after := probeAll(hosts); after > before+hosts*each {
		t.Errorf("%d bytes are left of each of %d hosts", (after-before)/hosts, hosts)
	}
}
