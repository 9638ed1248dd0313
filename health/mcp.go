package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

// MCPOptions is the block mcp of a source. It stands for itself: where it is
// written, even empty, the servers of the source are asked who they are.
type MCPOptions struct {
	// Path of the server's MCP endpoint, at the address of the target.
	Path string `yaml:"path"`
	// Interval between two questions, where the server itself does not say for how
	// long its answer holds.
	Interval model.Duration `yaml:"interval"`
	// RequireMCP publishes nothing new that did not prove to be an MCP server, by
	// the protocol or by its metrics. What is published stays.
	RequireMCP bool `yaml:"require_mcp"`
}

// DefaultMCPOptions are those of a block that is empty.
func DefaultMCPOptions() MCPOptions {
	return MCPOptions{Path: "/mcp", Interval: model.Duration(time.Hour)}
}

// UnmarshalYAML decodes over the defaults.
func (o *MCPOptions) UnmarshalYAML(unmarshal func(any) error) error {
	*o = DefaultMCPOptions()
	type plain MCPOptions
	return unmarshal((*plain)(o))
}

// Validate says what is wrong with the options, field by field.
func (o MCPOptions) Validate() []target.FieldError {
	var f findings
	if !strings.HasPrefix(o.Path, "/") {
		f.add("path", fmt.Errorf("%q does not begin with /: write a path such as /mcp", o.Path))
	}
	if o.Interval <= 0 {
		f.add("interval", errors.New("must be longer than 0s: write a duration such as 1h"))
	}
	return f
}

// Server is what an MCP server says of itself. Each is empty or may become a
// label as it is.
type Server struct {
	Name     string
	Version  string
	Protocol string // the newest revision that it speaks
}

// Answer is what came of asking a server who it is.
type Answer struct {
	// Proved says that it answered by the protocol. Where neither Proved nor Other
	// is set, it left the question open, and that says nothing about it.
	Proved bool
	// Other says that it answered, and not as an MCP server does.
	Other  bool
	Server Server // if Proved
	// Keep is how long the answer stands: it is not asked again before.
	Keep time.Duration
	ttl  time.Duration // as the server has it; negative: it does not say
}

// An Asker asks one endpoint who it is, beside the probes of its metrics.
//
// AskMCP returns a Result with an Answer, under the conditions that Prober has
// for Probe, but may take a second longer to end a session that it opened. What it
// returns is no verdict on the target's health, whatever the class.
type Asker interface {
	AskMCP(ctx context.Context, c Check) Result
}

// What a server says about how long its answer holds counts within these bounds.
const (
	keepLeast = 10 * time.Minute
	keepMost  = 24 * time.Hour
)

// asking is what the sweep knows of asking one target.
type asking struct {
	due    time.Time
	retry  time.Duration // after the last question, which was left open; 0: it was not
	flying bool          // queued, or being asked
	up     bool          // its last probe succeeded
}

// begins returns when a target is to be asked first: at once, or when what the
// ledger remembers of it is old enough. A clock that was wrong then must not put
// it off for good.
func begins(c *Check, now time.Time) *asking {
	due := now
	if c.AskAfter != 0 {
		due = fromMillis(c.AskAfter)
	}
	if most := now.Add(keepMost); due.After(most) {
		due = most
	}
	return &asking{due: due}
}

// renewed takes over another check of the same target: it is asked anew where
// somebody else lives there, where other options ask, or where what was learned
// of it asks for a second answer.
func (a *asking) renewed(old, c *Check, now time.Time) *asking {
	switch {
	case a == nil || a.flying:
	case c.Identity != old.Identity, c.Spec.mcp == nil, old.Spec.mcp == nil || *c.Spec.mcp != *old.Spec.mcp:
		*a = asking{due: now, up: a.up}
	case c.AskAfter != old.AskAfter:
		a.due = begins(c, now).due
	}
	return a
}

// Answered reports whether a probe was answered by an HTTP server, which may be
// asked who it is as well.
func (c Class) Answered() bool {
	switch c {
	case ClassRefused, ClassUnreachable, ClassDNS, ClassTimeout, ClassTLS, ClassDenied, ClassCanceled:
		return false
	}
	return true
}

// probed notes how the target's metrics answered, and reports whether it should
// be asked now. Where no HTTP server answered the one question, none would
// answer the other. One that has come up is not kept waiting.
func (a *asking) probed(class Class, now time.Time) bool {
	cameUp := class.Up() && !a.up && a.retry > 0
	a.up = class.Up()
	if !class.Answered() || a.flying || !cameUp && now.Before(a.due) {
		return false
	}
	a.flying = true
	return true
}

// asked notes an answer, and says how long it stands: what is said as long as
// the server wants, an open question for 1, 2, 4 s … interval.
func (a *asking) asked(r *Result, interval time.Duration, now time.Time) {
	a.flying = false
	if a.retry > 0 {
		a.retry = min(2*a.retry, interval)
	} else {
		a.retry = min(firstRetry, interval)
	}
	switch {
	case r.MCP.Proved && r.MCP.ttl >= 0:
		a.retry, r.MCP.Keep = 0, min(max(r.MCP.ttl, keepLeast), keepMost)
	case r.MCP.Proved, r.MCP.Other, r.Class == ClassUnauthorized:
		a.retry, r.MCP.Keep = 0, interval
	default:
		r.MCP.Keep = a.retry
	}
	a.due = now.Add(r.MCP.Keep)
}
