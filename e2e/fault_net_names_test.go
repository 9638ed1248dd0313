package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// A nameServer is the only one that a host asks. It knows what a test tells it,
// and is silent about names that it was told to be silent about.
type nameServer struct {
	mu     sync.Mutex
	lookup map[string]func(asked int) []netip.Addr
	asked  map[string]int
	silent string // the ending of names that get no answer
}

// newNameServer serves the host's names at 127.0.0.1:53.
func newNameServer(t testing.TB, h *host) *nameServer {
	t.Helper()
	s := &nameServer{lookup: map[string]func(int) []netip.Addr{}, asked: map[string]int{}}
	var conn net.PacketConn
	var err error
	h.do(func() { conn, err = net.ListenPacket("udp4", "127.0.0.1:53") })
	if err != nil {
		t.Fatal(err)
	}
	h.file(t, "/etc/resolv.conf", "nameserver 127.0.0.1\n")
	go s.serve(conn)
	t.Cleanup(func() { _ = conn.Close() })
	return s
}

// name gives a name these addresses, each time it is looked up.
func (s *nameServer) name(name string, addresses ...string) {
	var list []netip.Addr
	for _, address := range addresses {
		list = append(list, netip.MustParseAddr(address))
	}
	s.names(name, func(int) []netip.Addr { return list })
}

// names gives a name the addresses that f returns for the nth look-up.
func (s *nameServer) names(name string, f func(asked int) []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookup[name] = f
}

// hangs makes names with this ending get no answer from now on.
func (s *nameServer) hangs(ending string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = ending
}

// lookups is how often a name was looked up.
func (s *nameServer) lookups(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

func (s *nameServer) serve(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer := s.answer(buf[:n]); answer != nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

// Of RFC 1035 and RFC 3596.
const (
	dnsHeader  = 12
	typeA      = 1
	typeAAAA   = 28
	isAnswer   = 0x8180 // recursion desired and available
	noSuchName = 3
)

// answer is that to a query with one question, or nil.
func (s *nameServer) answer(query []byte) []byte {
	name, end := question(query)
	if end == 0 {
		return nil
	}
	addresses, known := s.find(name, binary.BigEndian.Uint16(query[end-4:]))
	if s.ignores(name) {
		return nil
	}
	flags := uint16(isAnswer)
	if !known {
		flags |= noSuchName
	}
	answer := append([]byte{}, query[:end]...)
	binary.BigEndian.PutUint16(answer[2:], flags)
	binary.BigEndian.PutUint16(answer[6:], uint16(len(addresses)))
	clear(answer[8:dnsHeader])
	for _, address := range addresses {
		answer = append(answer, 0xc0, dnsHeader) // the name of the question
		answer = append(answer, query[end-4:end]...)
		answer = append(answer, 0, 0, 0, 0) // not to be kept
		data := address.AsSlice()
		answer = append(answer, 0, byte(len(data)))
		answer = append(answer, data...)
	}
	return answer
}

func (s *nameServer) ignores(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent != "" && strings.HasSuffix(name, s.silent)
}

// question returns the name that a query asks about, and where that ends.
func question(query []byte) (name string, end int) {
	var parts []string
	for i := dnsHeader; i < len(query); {
		n := int(query[i])
		if n == 0 && i+5 <= len(query) {
			return strings.ToLower(strings.Join(parts, ".")), i + 5
		}
		if n == 0 || i+1+n > len(query) {
			break
		}
		parts = append(parts, string(query[i+1:i+1+n]))
		i += 1 + n
	}
	return "", 0
}

// find looks a name up. A pair of questions, for A and AAAA, is one look-up.
func (s *nameServer) find(name string, kind uint16) (addresses []netip.Addr, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lookup, known := s.lookup[name]
	if !known {
		return nil, false
	}
	if kind == typeA {
		s.asked[name]++
	}
	for _, address := range lookup(max(s.asked[name], 1)) {
		if address.Is4() && kind == typeA || address.Is6() && kind == typeAAAA {
			addresses = append(addresses, address)
		}
	}
	return addresses, true
}
