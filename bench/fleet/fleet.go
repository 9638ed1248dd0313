// Package fleet plays many MCP servers in one process: every address 127.x.y.z
// reaches the one listener, which answers by the address that was asked.
//
// All of them answer with the same page, so what is measured is the asking.
package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// Behaviour is how an instance answers for its metrics.
type Behaviour int

// The behaviours: one that is well, and three that want to keep who asks.
const (
	Healthy  Behaviour = iota
	Hanging            // accepts and never answers
	Dripping           // answers byte by byte
	Bombing            // answers with more than anybody wants, compressed
)

// first is the address of the first instance.
func first() netip.Addr { return netip.AddrFrom4([4]byte{127, 1, 0, 0}) }

// Fleet is a number of instances on consecutive addresses.
type Fleet struct {
	Port      int
	page      []byte
	bomb      []byte
	behaviour func(i int) Behaviour
	asked     []atomic.Int64 // when each was last asked, in nanoseconds
	gap       []atomic.Int64 // the longest time between two questions
	count     atomic.Int64
}

// Options say what a fleet is like.
type Options struct {
	Size      int
	Body      int                   // bytes of each page
	Behaviour func(i int) Behaviour // nil: all are healthy
}

// Start has a fleet answer on port until ctx ends.
func Start(ctx context.Context, port int, o Options) (*Fleet, error) {
	f := &Fleet{
		Port: port, page: page(o.Body), behaviour: o.Behaviour,
		asked: make([]atomic.Int64, o.Size), gap: make([]atomic.Int64, o.Size),
	}
	if f.behaviour == nil {
		f.behaviour = func(int) Behaviour { return Healthy }
	} else {
		f.bomb = bomb()
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return f, nil
}

// Address is the host:port of an instance.
func (f *Fleet) Address(i int) string { return AddressOf(i, f.Port) }

// AddressOf is the same without a fleet at hand.
func AddressOf(i, port int) string {
	b := first().As4()
	n := int(b[1])<<16 + i + 1
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(n >> 16), byte(n >> 8), byte(n)}), uint16(port)).String()
}

// index is the instance behind an address.
func index(a netip.Addr) int {
	b := a.Unmap().As4()
	return int(b[1])<<16 + int(b[2])<<8 + int(b[3]) - 1<<16 - 1
}

// Count is how many questions were asked so far.
func (f *Fleet) Count() int { return int(f.count.Load()) }

// LongestGap is the longest time between two questions to one of the instances
// that take part, up to now; those that were never asked count from since.
func (f *Fleet) LongestGap(since time.Time, takesPart func(i int) bool) (longest time.Duration, unasked int) {
	now := time.Now().UnixNano()
	for i := range f.asked {
		if !takesPart(i) {
			continue
		}
		last := f.asked[i].Load()
		if last == 0 {
			unasked++
			last = since.UnixNano()
		}
		longest = max(longest, time.Duration(max(f.gap[i].Load(), now-last)))
	}
	return longest, unasked
}

func (f *Fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	local := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	i := index(local.AddrPort().Addr())
	if i < 0 || i >= len(f.asked) {
		http.Error(w, "nobody lives here", http.StatusNotFound)
		return
	}
	f.note(i)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	switch f.behaviour(i) {
	case Healthy:
		_, _ = w.Write(f.page)
	case Hanging:
		<-r.Context().Done()
	case Dripping:
		drip(w, r, f.page)
	case Bombing:
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(f.bomb)
	}
}

func (f *Fleet) note(i int) {
	f.count.Add(1)
	now := time.Now().UnixNano()
	if before := f.asked[i].Swap(now); before > 0 && now-before > f.gap[i].Load() {
		f.gap[i].Store(now - before)
	}
}

func drip(w http.ResponseWriter, r *http.Request, page []byte) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range page {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			_, _ = w.Write(page[i : i+1])
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// page is what an instrumented server answers, of at least so many bytes.
func page(size int) []byte {
	var b bytes.Buffer
	b.WriteString("# TYPE target_info gauge\ntarget_info{service_name=\"mcp\",service_version=\"1.2.3\"} 1\n")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "# HELP mcp_tool_calls_%d_total Calls of a tool.\n# TYPE mcp_tool_calls_%d_total counter\n", i, i)
		for _, tool := range []string{"search", "fetch", "list"} {
			fmt.Fprintf(&b, "mcp_tool_calls_%d_total{tool=%q,outcome=\"ok\"} %d\n", i, tool, i)
		}
	}
	return b.Bytes()
}

// bomb is a page of 64 MiB of zeros, compressed to a thousandth.
func bomb() []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	return b.Bytes()
}
