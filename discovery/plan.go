package discovery

import (
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Standing is where a target stands; the five are exclusive (contract §10).
type Standing string

// The standings. A target that leaves has none.
const (
	Published Standing = "published"
	Pending   Standing = "pending"   // listed, not admitted yet
	Lingering Standing = "lingering" // published, no longer listed, not yet confirmed to be gone
	Held      Standing = "held"      // published, and the guard refuses to let it go
	Dropped   Standing = "dropped"   // listed, and taken out by drop_after
)

// Standings lists them in the order in which people are shown them.
var Standings = []Standing{Published, Pending, Lingering, Held, Dropped}

// Rule is the one reason for a decision, as people are told it.
type Rule string

// The rules of contract §5 and §6.
const (
	RuleListed        Rule = "listed"                            // listed and admitted before
	RuleProbed        Rule = "admitted by a probe"               // §5 admission, on_success
	RuleAlways        Rule = "admitted without a probe"          // admit: always, or health.enabled: false
	RuleRestored      Rule = "admitted before its file was lost" // §1
	RuleAdmitTimeout  Rule = "admitted by admit_timeout"         // §5: it never came up, which is an outage too
	RuleAwaitSuccess  Rule = "waits for its first successful probe"
	RuleUnproved      Rule = "waits for a proof that it is an MCP server" // require_mcp
	RuleDenied        Rule = "its address is denied"
	RuleAwaitSources  Rule = "kept until every source has answered"        // §8
	RuleBlind         Rule = "kept until its removal can be put on record" // §8
	RuleSilence       Rule = "not listed; waiting for its probes to fail"
	RuleStillAnswers  Rule = "not listed, but still answers"
	RuleGuardRatio    Rule = "held: too many would leave at once"
	RuleGuardEmpty    Rule = "held: its source would be left without a target"
	RuleGuardFile     Rule = "held: its new labels would leave its file without a target"
	RuleDown          Rule = "down for drop_after"
	RuleSilent        Rule = "not listed, and its probes failed"
	RuleLingered      Rule = "not listed for longer than linger"
	RuleUnlisted      Rule = "not listed; health checks are off"
	RuleInline        Rule = "taken out of the static configuration"
	RuleSourceRemoved Rule = "its source was taken out of the configuration"
	RulePartRemoved   Rule = "its part of the source was taken out of the configuration"
	RuleConfirmed     Rule = "held, and confirmed gone by every listing over confirm_after"
	RuleAccepted      Rule = "its removal was accepted"
)

// Decision is what is to be done about one target, and why.
type Decision struct {
	Record   *Record
	Standing Standing // empty: it leaves
	Rule     Rule
	Verdict  health.Verdict
	// Target is what is to be published; nil: it is not.
	Target *target.Target

	owner   *pass
	entry   *health.Entry
	known   *health.Known // as an MCP server; nil: nothing, or its source does not ask
	next    time.Time     // when time alone changes the decision; zero: never
	version Version
	frozen  bool // published as it stands in the files, whatever is listed
	made    made
	leaver  leaver
}

// leaver says in which way a target wants to leave.
type leaver uint8

const (
	stays    leaver = iota
	waits           // unlisted, and not yet ready to leave
	ready           // confirmed gone: the guard decides
	exempted        // leaves whatever the guard says
)

// Plan is the outcome of Decide: the whole set to publish, and what follows.
type Plan struct {
	// Decisions are by Key, one for each record; of Redecide, one for each record
	// on the docket.
	Decisions []Decision
	Want      []*target.Target // by Key: everything to be published
	Checks    []health.Check   // by Key: everything to be probed
	Tallies   []Tally          // in configuration order, then sources taken out
	NextAt    time.Time        // when time alone changes something; zero: never
}

// Tally counts one source's targets.
type Tally struct {
	Source string
	// Published are those in the files before the plan is carried out that the
	// source lists or listed last, also where another source's labels win.
	Published int
	Standing  map[Standing]int
	Health    map[health.Verdict]int
	Leaving   int
}

// Removal is one line of the journal: a target that was taken out.
type Removal struct {
	At       time.Time     `json:"at"`
	Target   target.Key    `json:"target"`
	Labels   target.Labels `json:"labels"`
	Source   string        `json:"source"`
	Unlisted time.Time     `json:"unlisted_since"` // the listing that first lacked it
	Rule     Rule          `json:"rule"`
	By       string        `json:"accepted_by,omitempty"`
	// Configured says that a change of configuration took it out.
	Configured bool `json:"by_configuration,omitempty"`
}

// Policy is the configuration as far as it decides.
type Policy struct {
	Sources map[string]SourcePolicy
	Version VersionOptions
	// Files names the output files that a target goes to. Nil where nobody asks.
	Files func(target.Target) []string
	// Blind is set while the state can't be written: nothing may leave then.
	Blind bool
}

// SourcePolicy is the part of the configuration that may differ by source.
type SourcePolicy struct {
	Health health.Options
	Spec   *health.Spec
	Guard  GuardOptions
	// MCP says how the source's servers are asked who they are; nil: not at all.
	MCP *health.MCPOptions
}
