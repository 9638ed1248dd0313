package health

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// BodyMemory is what all bodies in flight may take together (contract §5).
	BodyMemory = 64 << 20
	gzipMemory = 64 << 10 // of one decompressor, generously
	drainLimit = 64 << 10 // what is read of an answer nobody needs, to keep its connection
	drainTime  = 250 * time.Millisecond
)

// HTTPProber probes as Prometheus scrapes. Bodies are streamed through fixed
// buffers, so that what they take is bounded by the number of probes, and by a
// limit over all of them besides.
type HTTPProber struct {
	memory  *semaphore.Weighted
	readers sync.Pool // of *reader
	kinds   kinds
}

// NewHTTPProber returns the prober for all sources; bodies is the memory that
// all bodies in flight may take together, in bytes, usually BodyMemory.
func NewHTTPProber(bodies int64) *HTTPProber {
	p := &HTTPProber{memory: semaphore.NewWeighted(max(bodies, windowSize+gzipMemory))}
	p.readers.New = func() any { return &reader{window: window{buf: make([]byte, windowSize)}} }
	return p
}

// reader is what one body needs, kept for the next one.
type reader struct {
	window window
	gzip   *gzip.Reader
}

// outcome is what a probe found out, without who and when.
type outcome struct {
	class   Class
	detail  string
	version string
	mcp     bool // mcp_* was among the metrics
}

// Probe asks once. See Prober.
func (p *HTTPProber) Probe(ctx context.Context, c Check) Result {
	start := time.Now()
	o := p.ask(ctx, c, start)
	end := time.Now()
	c.Spec.tidy()
	return Result{
		Key: c.Key, Identity: c.Identity, At: end, Took: end.Sub(start),
		Class: o.class, Detail: clean(o.detail), Version: o.version, MCPMetrics: o.mcp,
	}
}

func (p *HTTPProber) ask(parent context.Context, c Check, now time.Time) outcome {
	s := c.Spec
	if err := s.policy.CheckHostPort(c.Key.Address); err != nil {
		return misaddressed(err)
	}
	ctx, cancel := context.WithTimeout(parent, s.timeout())
	defer cancel()
	x := &exchange{Context: ctx, once: !s.keeps(c.Key)}
	req, err := http.NewRequestWithContext(x, http.MethodGet, c.Key.URL(), nil)
	if err != nil {
		return outcome{class: ClassUnreachable, detail: "address, path and parameters make no URL"}
	}
	if req.Header = s.header; s.layered { // net/http itself only reads them
		req.Header = s.header.Clone() // the library's layers write into it (common v0.71, cloneRequest)
	}
	req.Close = x.once || s.renews(c.Key, now)
	x.proxied = s.proxies(req)
	resp, err := s.client.Do(req)
	f := failure{parent: parent, ctx: ctx, spec: s, exchange: x}
	if err != nil {
		return f.request(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answered(resp, c.Key.Address, settle(resp, cancel))
	}
	return p.body(f, resp, cancel)
}

// body reads a 200 to its end and judges it.
func (p *HTTPProber) body(f failure, resp *http.Response, cancel func()) outcome {
	kind := p.kinds.of(resp.Header)
	if kind.stream {
		return outcome{class: ClassNotMetrics, detail: kind.name + " is an event stream: MCP's own endpoint, not its metrics?"}
	}
	weight := int64(windowSize)
	if kind.gzip {
		weight += gzipMemory
	}
	if err := p.memory.Acquire(f.ctx, weight); err != nil {
		return f.noMemory()
	}
	defer p.memory.Release(weight)
	r := p.readers.Get().(*reader)
	defer p.readers.Put(r)
	defer r.window.reset(nil)

	found := newFinds(f.spec.required)
	found.mcp = f.spec.mcp != nil
	samples, err := r.read(resp.Body, kind, int64(f.spec.opts.BodyLimit), found)
	if err == nil && r.window.err != io.EOF {
		err = r.window.err
	}
	switch {
	case err == errNotMetrics, err == nil && !samples && !kind.known:
		settle(resp, cancel)
		return outcome{class: ClassNotMetrics, detail: kind.notMetrics()}
	case err != nil:
		return f.body(err)
	case found.missing > 0:
		return outcome{class: ClassMissingMetrics, detail: "missing " + found.absent(), version: found.version.version, mcp: found.hasMCP}
	}
	return outcome{version: found.version.version, mcp: found.hasMCP}
}

// read decompresses and looks through one body.
func (r *reader) read(body io.Reader, kind kind, limit int64, found *finds) (samples bool, err error) {
	body = &limited{src: body, left: limit} // before decompression too: a gzip stream can be endless and empty
	if kind.gzip {
		if err := r.gunzip(body); err != nil {
			return false, err
		}
		body = &limited{src: r.gzip, left: limit}
	}
	r.window.reset(body)
	if kind.format == formatProto {
		return readProto(&r.window, found)
	}
	return readText(&r.window, kind.format == formatOpenMetrics, found)
}

func (r *reader) gunzip(body io.Reader) (err error) {
	r.window.reset(nil)
	if r.gzip == nil {
		r.gzip, err = gzip.NewReader(body)
	} else {
		err = r.gzip.Reset(body)
	}
	if err == io.EOF { // not even a gzip header
		return io.ErrUnexpectedEOF
	}
	return err
}

// settle reads a little of an answer that is judged already, so that its
// connection can be used again, and returns the beginning. An answer that
// drips must not hold the verdict up.
func settle(resp *http.Response, cancel func()) []byte {
	defer time.AfterFunc(drainTime, cancel).Stop()
	beginning := make([]byte, 1<<10)
	n, err := io.ReadFull(resp.Body, beginning)
	if err == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	}
	return beginning[:n]
}
