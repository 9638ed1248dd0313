// Package health asks the metrics endpoint of each target the very question
// that Prometheus would ask, and turns the answers into verdicts: one probe of
// one endpoint (HTTPProber) with a class for every way to fail, the bounded
// and spread-out sweep over all of them (Sweeper), and the ledger that turns
// results into a verdict (Ledger).
//
// A probe fetches addresses that others wrote into a registry. So it checks
// every address at dial time, follows no redirect to another host, bounds
// headers, body, memory and time, and never quotes what it was answered.
// Whether a verdict publishes or removes anything is decided elsewhere.
package health

import (
	"context"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Class says how a probe failed; the empty class is up (contract §5).
type Class string

// The classes of contract §5, and not_mcp, which only an Answer has. Canceled is
// none of them: it says that there is no verdict, because the probe was called
// off or mcp-sd itself could not ask (no file descriptors left, a secret file
// unreadable). It is never folded.
const (
	ClassUp             Class = ""
	ClassRefused        Class = "refused"
	ClassUnreachable    Class = "unreachable"
	ClassDNS            Class = "dns"
	ClassTimeout        Class = "timeout"
	ClassTLS            Class = "tls"
	ClassRedirect       Class = "redirect"
	ClassUnauthorized   Class = "unauthorized"
	ClassMisdirected    Class = "misdirected"
	ClassHTTP4xx        Class = "http_4xx"
	ClassHTTP5xx        Class = "http_5xx"
	ClassNotMetrics     Class = "not_metrics"
	ClassMissingMetrics Class = "missing_metrics"
	ClassTooLarge       Class = "too_large"
	ClassTruncated      Class = "truncated"
	ClassDenied         Class = "denied"
	ClassNotMCP         Class = "not_mcp"
	ClassCanceled       Class = "canceled"
)

// Up reports whether the class is that of a success.
func (c Class) Up() bool { return c == ClassUp }

// String is the word used in metrics and by people.
func (c Class) String() string {
	if c == ClassUp {
		return "up"
	}
	return string(c)
}

// Cadence says how often a target is probed (contract §5).
type Cadence int

const (
	// Steady probes once per interval, at a moment that a hash of the key
	// chooses, so that all probes together are spread over the interval.
	Steady Cadence = iota
	// Admit probes at once, and after a failure again in 1, 2, 4 s … interval.
	// After a success it is as steady as Steady.
	Admit
	// Leave probes at once and then every 5 s.
	Leave
)

// Check asks for one target to be probed.
type Check struct {
	Key      target.Key
	Identity string // travels into the Result, see target.Raw
	Spec     *Spec  // of the target's source; never nil
	Cadence  Cadence
	// AskAfter is when the target may be asked who it is, in milliseconds since
	// 1970, as it was known when the check was made; 0: at once. See Known.
	AskAfter int64
}

// Result is the outcome of one probe.
type Result struct {
	Key      target.Key
	Identity string
	At       time.Time     // when the probe ended
	Took     time.Duration // from first byte sent to verdict
	Class    Class
	Detail   string // for people: at most 200 bytes, no control characters, no secrets
	Version  string // as the metrics tell it; empty where they don't
	// MCPMetrics says that mcp_* was among the metrics, where the source asks.
	MCPMetrics bool
	// MCP is set where the target was not probed, but asked who it is: Class says
	// then how that failed, and nothing of its health.
	MCP *Answer
}

// A Prober probes one endpoint once.
//
// Probe returns when there is a verdict, at the latest after the timeout of
// the check's Spec, or promptly with ClassCanceled when ctx ends. It leaves no
// goroutine behind and may be called by many at once.
type Prober interface {
	Probe(ctx context.Context, c Check) Result
}
