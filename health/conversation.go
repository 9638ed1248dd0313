package health

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/version"
)

// The revisions of MCP by which a server is asked (FACTS "MCP"). From
// statelessRevision on, servers answer server/discover; older ones take
// initialize, and answer with a revision of their own.
const (
	statelessRevision = "2026-07-28"
	sessionRevision   = "2025-11-25"
)

const (
	sessionHeader  = "Mcp-Session-Id"
	revisionHeader = "Mcp-Protocol-Version"
	methodHeader   = "Mcp-Method"
	sessionLength  = 1 << 10     // of an id; a longer one is not ours to send back
	goodbyeTime    = time.Second // for ending a session whose question was called off
	answerLimit    = 256 << 10   // of one answer
	acceptAnswer   = "application/json, text/event-stream"
	contentJSON    = "application/json"
	contentStream  = "text/event-stream"
	refusedVersion = -32022 // unsupported protocol version, with those that are supported
	headerMismatch = -32020 // what only a server of statelessRevision complains of
)

// AskMCP asks once. See Asker.
func (p *HTTPProber) AskMCP(ctx context.Context, c Check) Result {
	start := time.Now()
	v := conversation{prober: p, spec: c.Spec, check: c, parent: ctx}
	a, o := v.run()
	end := time.Now()
	c.Spec.tidy()
	if a.Proved {
		o.class = ClassUp
	}
	return Result{
		Key: c.Key, Identity: c.Identity, At: end, Took: end.Sub(start),
		Class: o.class, Detail: clean(o.detail), MCP: &a,
	}
}

// conversation is one question, which may take several requests: at most three
// that ask, and one to end each session that they opened.
type conversation struct {
	prober *HTTPProber
	spec   *Spec
	check  Check
	parent context.Context // of the caller
	ctx    context.Context // with the timeout of a probe
	url    string
}

func (v *conversation) run() (Answer, outcome) {
	if err := v.spec.policy.CheckHostPort(v.check.Key.Address); err != nil {
		return Answer{}, misaddressed(err)
	}
	ctx, cancel := context.WithTimeout(v.parent, v.spec.timeout())
	defer cancel()
	v.ctx = ctx
	endpoint := v.check.Key
	endpoint.Path, endpoint.Params = v.spec.mcp.Path, ""
	v.url = endpoint.URL()

	r := v.discover(statelessRevision)
	if other := r.otherRevision(); other != "" {
		r = v.discover(other)
	}
	a := r.discovered()
	if !r.older(a) {
		return a, r.why(a)
	}
	older := v.initialize(cmp.Or(r.sessionRevision(), sessionRevision))
	b := older.initialized()
	switch {
	case b.Proved:
		if a.Proved {
			b.ttl, b.Server.Protocol = a.ttl, max(a.Server.Protocol, b.Server.Protocol)
		}
		return b, older.why(b)
	case a.Proved:
		return a, r.why(a)
	}
	return b, older.outcome
}

// discover asks as statelessRevision and later ones have it: by one request that
// opens no session.
func (v *conversation) discover(revision string) response {
	const meta = "io.modelcontextprotocol/"
	return v.post(revision, "server/discover", map[string]any{"_meta": map[string]any{
		meta + "protocolVersion":    revision,
		meta + "clientInfo":         clientInfo(),
		meta + "clientCapabilities": struct{}{},
	}})
}

// initialize asks as older revisions have it.
func (v *conversation) initialize(revision string) response {
	return v.post("", "initialize", map[string]any{
		"protocolVersion": revision,
		"clientInfo":      clientInfo(),
		"capabilities":    struct{}{},
	})
}

func clientInfo() map[string]string {
	return map[string]string{"name": "mcp-sd", "version": cmp.Or(version.Version, "unknown")}
}

// post sends one request and reads its answer. A session that it opened is ended
// before post returns.
func (v *conversation) post(revision, method string, params any) response {
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	x := &exchange{Context: ctx, once: !v.spec.keeps(v.check.Key)}
	f := failure{parent: v.parent, ctx: ctx, spec: v.spec, exchange: x}
	req, err := v.request(x, http.MethodPost, question(method, params))
	if err != nil {
		return response{outcome: outcome{class: ClassUnreachable, detail: "address and path make no URL"}}
	}
	req.Header.Set("Content-Type", contentJSON)
	req.Header.Set("Accept-Encoding", "gzip")
	if revision != "" { // headers of statelessRevision
		req.Header.Set(revisionHeader, revision)
		req.Header.Set(methodHeader, method)
	}
	resp, err := v.spec.asker.Do(req)
	if err != nil {
		return v.failed(f.request(err))
	}
	r := v.read(f, resp, cancel)
	_ = resp.Body.Close()
	if id := resp.Header.Get(sessionHeader); id != "" {
		v.end(id, cmp.Or(r.protocol(), sessionRevision))
	}
	return r
}

// failed is the response where there was none. What speaks no HTTP, or sends the
// question elsewhere, has answered all the same.
func (v *conversation) failed(o outcome) response {
	switch o.class {
	case ClassNotMetrics:
		return response{outcome: v.not("%s", o.detail), other: true}
	case ClassRedirect:
		return response{outcome: o, other: true}
	}
	return response{outcome: o}
}

// end ends a session. What the server says to it is of no account: it may refuse
// (405). Nor does it matter whether there is still time for the question.
func (v *conversation) end(session, revision string) {
	if len(session) > sessionLength {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.ctx), goodbyeTime)
	defer cancel()
	x := &exchange{Context: ctx, once: !v.spec.keeps(v.check.Key)}
	req, err := v.request(x, http.MethodDelete, nil)
	if err != nil {
		return
	}
	req.Header.Set(sessionHeader, session)
	req.Header.Set(revisionHeader, revision)
	resp, err := v.spec.asker.Do(req)
	if err != nil {
		return
	}
	settle(resp, cancel)
	_ = resp.Body.Close()
}

func (v *conversation) request(x *exchange, method string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(x, method, v.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", acceptAnswer)
	req.Header.Set("User-Agent", v.spec.header.Get("User-Agent"))
	req.Close = x.once
	x.proxied = v.spec.proxies(req)
	return req, nil
}

// response is what came back of one request.
type response struct {
	outcome         // where it says nothing by the protocol
	message message // it does, where it is set
	other   bool    // somebody answered, and not by the protocol
	guarded bool    // by MCP's own rules of authorization
	status  int
}

// older reports whether it is worth asking by an older revision: where somebody
// answered, and has not told his name.
func (r response) older(a Answer) bool {
	switch {
	case r.status == 0, r.status == http.StatusUnauthorized, r.status == http.StatusForbidden,
		r.status == http.StatusMisdirectedRequest, r.status == http.StatusTooManyRequests:
		return false
	case a.Server.Name != "":
		return false
	case a.Proved:
		return r.sessionRevision() != "" || r.message.code() == headerMismatch
	}
	return r.other || r.message.is() || r.status >= http.StatusBadRequest
}

// discovered makes an answer of what came of server/discover.
func (r response) discovered() Answer {
	a := Answer{ttl: r.message.ttl(), Other: r.other || r.message.is(), Proved: r.guarded}
	if newest := newestOf(r.message.supported()); newest != "" {
		a.Proved = true
		a.Server = r.message.server()
		a.Server.Protocol = newest
	}
	if r.message.code() == headerMismatch {
		a.Proved = true
		a.Server.Protocol = statelessRevision
	}
	a.Other = a.Other && !a.Proved
	return a
}

// initialized makes an answer of what came of initialize.
func (r response) initialized() Answer {
	a := Answer{ttl: -1, Other: r.other || r.message.is(), Proved: r.guarded}
	if p := r.protocol(); p != "" {
		a.Proved = true
		a.Server = r.message.server()
		a.Server.Protocol = p
	}
	a.Other = a.Other && !a.Proved
	return a
}

func (r response) protocol() string { return presented(r.message.result.ProtocolVersion) }

// why says for people what an answer leaves open.
func (r response) why(a Answer) outcome {
	switch {
	case !a.Proved, r.guarded:
		return r.outcome
	case r.message.code() != 0:
		return outcome{detail: fmt.Sprintf("it answers error %d of MCP alone", r.message.code())}
	}
	return outcome{}
}

// otherRevision is a newer revision than ours that the server wants to be asked
// by, if it refused ours.
func (r response) otherRevision() string {
	if r.message.code() != refusedVersion {
		return ""
	}
	if newest := newestOf(r.message.supported()); newest > statelessRevision {
		return newest
	}
	return ""
}

// sessionRevision is the newest one with sessions that the server says it speaks.
func (r response) sessionRevision() string {
	return newestOf(slices.DeleteFunc(slices.Clone(r.message.supported()), func(v string) bool { return v >= statelessRevision }))
}

// newestOf is the newest of some revisions, which are dates.
func newestOf(revisions []string) string {
	newest := ""
	for _, v := range revisions {
		if _, err := time.Parse(time.DateOnly, v); err == nil {
			newest = max(newest, v)
		}
	}
	return newest
}

// guards reports whether an answer asks for authorization in the way of MCP,
// which no server but one of these does: by a challenge that says where the
// resource's metadata are.
func guards(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	return slices.ContainsFunc(resp.Header.Values("Www-Authenticate"), func(c string) bool {
		return len(c) > 7 && strings.EqualFold(c[:7], "bearer ") && strings.Contains(c, "resource_metadata=")
	})
}

// path is the endpoint without what may be secret, for people.
func (v *conversation) path() string {
	return (&url.URL{Path: v.spec.mcp.Path}).String()
}

func (v *conversation) not(format string, args ...any) outcome {
	return outcome{class: ClassNotMCP, detail: v.path() + ": " + fmt.Sprintf(format, args...)}
}
