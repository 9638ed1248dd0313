package e2e

import (
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestPrometheusDNS: targets by A and SRV records of a real name server. Names that
// get no answer, one or all, and a server that has ended lose nothing, also over a
// restart, and each list stands for itself; names that are gone are an answer, which
// the guard holds.
func TestPrometheusDNS(t *testing.T) {
	t.Parallel()
	s := newDNSScenario(t)
	s.shows(t)

	s.records["host-record"] = append(s.records["host-record"], "mcp.well.test,10.4.2.6")
	s.serves(t)
	s.want = append(s.want, "10.4.2.6:3000")
	s.shows(t)

	delete(s.records, "address")
	s.records["server"] = []string{"/mcp.other.test/" + silentServer} // asks who does not answer
	s.serves(t)
	s.keeps(t)
	s.records["srv-host"] = append(s.records["srv-host"], "_mcp._tcp.well.test,mcp-6.well.test,3006")
	s.serves(t)
	s.want = append(s.want, "mcp-6.well.test:3006") // of the other list
	s.shows(t)
	delete(s.records, "server")
	s.records["address"] = []string{otherName}
	s.serves(t)
	s.returns(t)

	s.names.signal(t, syscall.SIGSTOP)
	s.keeps(t)
	s.names.signal(t, syscall.SIGCONT)
	s.returns(t)
	s.names.kill()
	s.keeps(t)

	clear(s.records)
	s.serves(t)
	s.returns(t)
	holds(t, 3*time.Second, s.published) // more than one at once: the guard holds them
	s.daemon.stops(t)
}

const (
	otherName    = "/mcp.other.test/10.4.2.3"
	silentServer = "127.0.0.9" // where it is asked for in vain
)

var dnsmasqBinary = sync.OnceValues(func() (string, error) { return packaged("dnsmasq", "dnsmasq-base") })

// A dnsScenario is a name server with its records, and the mcp-sd that asks it.
type dnsScenario struct {
	*bridged
	names   *process
	records map[string][]string // by dnsmasq's options
	want    []string
}

func newDNSScenario(t *testing.T) *dnsScenario {
	t.Helper()
	s := &dnsScenario{
		bridged: &bridged{workspace: newWorkspace(t), host: newHost(t), source: "dns"},
		records: map[string][]string{
			"host-record": {"mcp.well.test,10.4.2.1", "mcp.well.test,10.4.2.2"},
			"address":     {otherName},
			"srv-host":    {"_mcp._tcp.well.test,mcp-4.well.test,3004", "_mcp._tcp.well.test,mcp-5.well.test,3005"},
		},
		want: []string{"10.4.2.1:3000", "10.4.2.2:3000", "10.4.2.3:3000", "mcp-4.well.test:3004", "mcp-5.well.test:3005"},
	}
	s.bridged.published = s.published
	s.host.file(t, "/etc/resolv.conf", "nameserver 127.0.0.1\n")
	var silent net.PacketConn
	var err error
	s.host.do(func() { silent, err = net.ListenPacket("udp4", silentServer+":53") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s.serves(t)
	s.configure(t, `
global: {source_timeout: 6s}
sources:
  - name: dns
    prometheus:
      dns_sd_configs:
        - {names: [mcp.well.test, mcp.other.test], type: A, port: 3000, refresh_interval: 1s}
        - {names: [_mcp._tcp.well.test], refresh_interval: 1s}
health: {enabled: false}
guard: {max_removed_ratio: 0.1, min_removed: 1}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`)
	s.follows(t)
	return s
}

// serves runs the name server with the records as they are now.
func (s *dnsScenario) serves(t *testing.T) {
	t.Helper()
	if s.names != nil {
		s.names.kill()
	}
	args := []string{
		"--keep-in-foreground", "--user=root", "--conf-file=/dev/null", "--pid-file=", "--no-hosts", "--no-resolv", "--local=/test/",
		"--listen-address=127.0.0.1", "--bind-interfaces", "--cache-size=0",
	}
	for option, records := range s.records {
		for _, r := range records {
			args = append(args, "--"+option+"="+r)
		}
	}
	program, args := s.host.command(need(t, dnsmasqBinary), args...)
	s.names = startProcess(t, "dnsmasq", program, args...)
}

func (s *dnsScenario) published() error { return atLeast(s.output("mcp.json"), s.want...) }
