// Package target is the vocabulary that every other package speaks: what a
// source says (Raw, Part, Listing), what a scrape is (Key), what Prometheus is
// given (Target), and the two interfaces through which anything is discovered
// (Source, Watcher).
//
// The words are Prometheus' own. Nothing here does I/O, and nothing here
// imports another package of this module.
package target

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Labels is an immutable, sorted set of labels, in Prometheus' own compact
// representation.
type Labels = labels.Labels

// Labels that mcp-sd itself knows by name.
const (
	AddressLabel     = "__address__"
	SchemeLabel      = "__scheme__"
	MetricsPathLabel = "__metrics_path__"
	ParamPrefix      = "__param_"
	MetaPrefix       = "__meta_"
	TmpPrefix        = "__tmp_"

	// Published with every target. They begin with __meta_, so that Prometheus
	// drops them after relabelling: a change of one never starts a new series.
	SourceLabel        = "__meta_mcp_sd_source"
	HealthLabel        = "__meta_mcp_sd_health"         // up, down, unknown
	StateLabel         = "__meta_mcp_sd_state"          // published, lingering, held
	VersionLabel       = "__meta_mcp_sd_version"        // only where version.label is ""
	VersionSourceLabel = "__meta_mcp_sd_version_source" // source, metrics, mcp
	MCPLabel           = "__meta_mcp_sd_mcp"            // declared, metrics, protocol
	MCPServerLabel     = "__meta_mcp_sd_mcp_server_name"
	MCPProtocolLabel   = "__meta_mcp_sd_mcp_protocol_version"
	OwnMetaPrefix      = "__meta_mcp_sd_"

	// MCPDeclared is the value of MCPLabel where the source says so, and the server
	// has not yet shown it.
	MCPDeclared = "declared"

	EnvironmentName = "environment"
	RegionName      = "region"
	VersionName     = "version"
)

// Selected reports whether every matcher matches a target's labels, its address
// standing for __address__.
func Selected(matchers []*labels.Matcher, address string, l Labels) bool {
	for _, m := range matchers {
		v := address
		if m.Name != AddressLabel {
			v = l.Get(m.Name)
		}
		if !m.Matches(v) {
			return false
		}
	}
	return true
}

// Raw is one instance as its source describes it.
type Raw struct {
	// Identity names what lives behind the address, such as an EC2 instance id
	// or "node/service-id" of Consul: when it changes, another instance has
	// taken the address over. Empty where the mechanism cannot know.
	Identity string
	// Labels holds __address__, the mechanism's __meta_* labels, and the
	// standard labels environment, region and version where the source knows
	// them. A mechanism that passes on what others call labels, as an http_sd
	// endpoint does, may set plain ones, too; one whose table entry says Operator
	// may set any that labels: may.
	Labels Labels
}

// Rejection says that one target or one of its labels was left out, and why.
// It never costs another target anything.
type Rejection struct {
	Address string // as far as it is known
	Label   string // empty where the whole target was left out
	Reason  string // a short fixed word for the metric, such as "bad_address"
	Detail  string // for people
}

// Part is what one independent piece of a source said: one account and region
// of EC2, one datacenter and service of Consul, one file.
//
// A part lists everything that it knows, or fails: where Err is set, Raw is
// nil. A listing that may be short (a lost page, an answer filtered by ACLs or
// too stale) is a failure.
type Part struct {
	Name string // unique within its source
	Raw  []Raw
	Err  error
	// Unchanged says that the part answered and still lists what it listed in
	// the same source's previous listing; Raw and Rejected are nil then.
	Unchanged bool
	// Inline marks targets written in mcp-sd's own configuration: taking one
	// out is the operator's word, it neither lingers nor passes the guard.
	Inline   bool
	Rejected []Rejection
}

// Listing is the complete set of a source's parts at one moment. A part that
// an earlier listing had and this one lacks is gone, unless some part of this
// listing failed: then its last good listing stands.
type Listing struct {
	Source string
	Parts  []Part
	At     time.Time     // when the answer was complete
	Took   time.Duration // how long the question took; 0 where nobody asked, as for a file event
	// Early says that other parts are still being asked: that they are not
	// named says nothing of them. The complete listing follows.
	Early bool
}

// Failed reports whether any part failed.
func (l Listing) Failed() bool {
	for _, p := range l.Parts {
		if p.Err != nil {
			return true
		}
	}
	return false
}

// A Source lists everything that each of its parts knows now; a part that
// can't says why and lists nothing.
//
// Discover returns promptly when ctx ends, with ctx's error in every part that
// had not answered. It is called by one goroutine at a time, leaves no
// goroutine behind, and two calls with nothing changed between them list the
// same parts, targets and labels in the same order. It always returns at least
// one part.
type Source interface {
	Discover(ctx context.Context) Listing
}

// An EarlySource can hand over what some of its parts said while others keep it
// waiting, so that no part holds up another (contract §4).
//
// DiscoverEarly is Discover. Before it returns it calls early, in the same
// goroutine, as often as more parts have answered in the meantime, with Early
// listings of nothing but good answers.
type EarlySource interface {
	Source
	DiscoverEarly(ctx context.Context, early func(Listing)) Listing
}

// A Watcher hands over complete listings as they change, and a heartbeat
// (every part Unchanged) at least once per refresh interval while they don't.
//
// Watch blocks until ctx ends, waits for the goroutines it started, and then
// returns nil; it deals with failures itself, by retrying and by emitting
// listings whose failed parts say so. The first listing is emitted when every
// part has an outcome. emit is called by one goroutine at a time and keeps the
// listing; it may block for a moment.
type Watcher interface {
	Source
	Watch(ctx context.Context, emit func(Listing)) error
}

// A Knower is a Source whose backend may leave out of its answers, without a
// failure, what was listed before: it can tell that something is missing only
// if it knows what there was.
//
// Know gives it the names of its parts whose targets may be published: of an
// earlier run, or of the source that it replaces, perhaps under other options.
// What these do not select any more, and names that it can't read, it passes
// over. Know is called before the first Discover or Watch, asks nobody and
// lists nothing by itself; what is known must be found, or confirmed to be gone,
// before an answer that may be short is believed.
type Knower interface {
	Source
	Know(parts []string)
}

// Env is what a source is built with.
type Env struct {
	Source          string // the configured name
	Dir             string // of the configuration file: relative paths are resolved against it
	RefreshInterval time.Duration
	Timeout         time.Duration // of one question to the backend
	Logger          *slog.Logger  // carries the source's name already
}

// FieldError is one thing wrong with one option.
type FieldError struct {
	Field string // path below the block that was validated: "servers[1]"
	Err   error  // what is wrong and what to write instead
}

func (e FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

func (e FieldError) Unwrap() error { return e.Err }
