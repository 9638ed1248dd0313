package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/mcp-sd/mcp-sd/target"
)

// Addresses where nothing may be probed are not even connected to, in whatever
// notation (contract §7).
func TestDeniedLiterals(t *testing.T) {
	s := spec(t, nil)
	s.direct.ControlContext = nil // nothing but the first check is left
	s.toProxy = nil
	for _, host := range []string{
		"169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518",
		"[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[fe80::1%25eth0]", "[fe80::1]",
		"[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", "0.0.0.0", "0", "[::]", "224.0.0.1", "[ff02::1]",
	} {
		r := probe(t, target.Key{Scheme: "http", Address: host + ":80", Path: "/latest/meta-data"}, s)
		if r.Class != ClassDenied {
			t.Errorf("%s: got %s (%s)", host, r.Class, r.Detail)
		}
	}
}

// names is a resolver that answers as the test wants.
func names(t *testing.T, answer func(name string) []string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := reply(buf[:n], answer); err == nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func reply(question []byte, answer func(name string) []string) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	addresses := answer(strings.TrimSuffix(q.Name.String(), "."))
	if addresses == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		ip := netip.MustParseAddr(a)
		head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}
		switch {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}})
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	return m.Pack()
}

// A name is checked by what it resolves to when the connection is made, and so
// is one that was rebound since (contract §5, §7).
func TestRebinding(t *testing.T) {
	k := serve(t, say(text004, page))
	_, port, _ := net.SplitHostPort(k.Address)
	var now atomic.Value
	now.Store([]string{"127.0.0.1"})
	s := spec(t, nil, WithResolver(names(t, func(string) []string { return now.Load().([]string) })))
	k.Address = "mcp.example.com:" + port
	for _, tc := range []struct {
		addresses []string
		want      Class
	}{
		{[]string{"127.0.0.1"}, ClassUp},
		{[]string{"169.254.169.254"}, ClassDenied},
		{[]string{"::ffff:169.254.169.254"}, ClassDenied},
		{[]string{"64:ff9b::a9fe:a9fe"}, ClassDenied},
		{[]string{"fe80::1"}, ClassDenied},
		{[]string{"0.0.0.0"}, ClassDenied},
		{[]string{"127.0.0.1"}, ClassUp},
	} {
		now.Store(tc.addresses)
		s.client.CloseIdleConnections()
		if r := probe(t, k, s); r.Class != tc.want {
			t.Errorf("%v: got %s (%s), want %s", tc.addresses, r.Class, r.Detail, tc.want)
		}
	}
}

// Loopback behind a name is for the operator's own targets (contract §7).
func TestDiscoveredLoopback(t *testing.T) {
	var asked atomic.Bool
	k := serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	_, port, _ := net.SplitHostPort(k.Address)
	s, err := NewSpec("consul", DefaultOptions(), false, NewMetrics(prometheus.NewRegistry()),
		WithResolver(names(t, func(string) []string { return []string{"127.0.0.1"} })))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, host := range []string{"mcp.example.com", "127.0.0.1", "[::ffff:127.0.0.1]", "0x7f.1", ""} {
		k.Address = host + ":" + port
		if r := probe(t, k, s); r.Class != ClassDenied || host != "" && !strings.Contains(r.Detail, "allow_cidrs") {
			t.Errorf("%s: got %s (%s)", host, r.Class, r.Detail)
		}
	}
	if asked.Load() {
		t.Error("the server was asked")
	}
}

// A redirect is checked like the first connection: to the same name, it may
// come to mean another address.
func TestRedirectRebound(t *testing.T) {
	var asked atomic.Int64
	k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, "/metrics/", http.StatusFound)
	})
	_, port, _ := net.SplitHostPort(k.Address)
	s := spec(t, nil, WithResolver(names(t, func(string) []string {
		if asked.Add(1) <= 2 { // A and AAAA
			return []string{"127.0.0.1"}
		}
		return []string{"169.254.169.254"}
	})))
	k.Address = "mcp.example.com:" + port
	if r := probe(t, k, s); r.Class != ClassDenied {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

func TestDNS(t *testing.T) {
	s := spec(t, short, WithResolver(names(t, func(string) []string { return nil })))
	r := probe(t, target.Key{Scheme: "http", Address: "gone.example.com:80", Path: "/"}, s)
	if r.Class != ClassDNS || r.Detail != `no such host "gone.example.com"` {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
	silent := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	r = probe(t, target.Key{Scheme: "http", Address: "slow.example.com:80", Path: "/"}, spec(t, short, WithResolver(silent)))
	if r.Class != ClassDNS || !strings.Contains(r.Detail, "looking up") {
		t.Errorf("got %s (%s)", r.Class, r.Detail)
	}
}

// A machine that has run out of file descriptors knows nothing about others.
func TestOwnExhaustion(t *testing.T) {
	for _, text := range []string{"socket: too many open files", "no buffer space available"} {
		broken := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dial udp: %s", text)
		}}
		r := probe(t, target.Key{Scheme: "http", Address: "a.example.com:80", Path: "/"}, spec(t, short, WithResolver(broken)))
		if r.Class != ClassCanceled || !strings.Contains(r.Detail, "on the machine of mcp-sd") {
			t.Errorf("%s: got %s (%s)", text, r.Class, r.Detail)
		}
	}
}

func TestHostHintNamesTheHost(t *testing.T) {
	k := serve(t, status(http.StatusMisdirectedRequest, ""))
	if r := probe(t, k, spec(t, nil)); !strings.Contains(r.Detail, strconv.Quote(k.Address)) || len(r.Detail) > detailLimit {
		t.Error(r.Detail)
	}
}

// A dial ends with its probe: the transport would let it go on.
func TestDialEndsWithItsProbe(t *testing.T) {
	s := spec(t, nil, WithResolver(&net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}))
	ended, cancel := context.WithCancel(t.Context())
	ctx := context.WithValue(t.Context(), exchangeKey{}, &exchange{Context: ended})
	cancel()
	if _, err := s.dial(ctx, "tcp", "slow.example.com:80"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A timeout says what the time was spent on.
func TestOutOfTime(t *testing.T) {
	for phase, want := range map[int32]outcome{
		phaseStart:     {class: ClassTimeout, detail: "no answer within 10s"},
		phaseLookup:    {class: ClassDNS, detail: "looking up the name took longer than 10s"},
		phaseConnect:   {class: ClassTimeout, detail: "no connection within 10s"},
		phaseConnected: {class: ClassTimeout, detail: "no answer within 10s"},
	} {
		x := &exchange{}
		x.enter(phase)
		if got := (failure{spec: spec(t, nil), exchange: x}).outOfTime(); got != want {
			t.Errorf("%+v", got)
		}
	}
}
