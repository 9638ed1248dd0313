package discovery

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Setup is a configuration made real: validated whole, everything in it built.
// The first one starts the engine, each further one is a reload.
type Setup struct {
	Sources   []SourceSetup // in configuration order
	Version   VersionOptions
	Publisher Publisher
	// Unclaimed is the policy for published targets that no source ever claimed,
	// such as those of an adopted file.
	Unclaimed SourcePolicy
	// Interval is the time between two passes that is credited at most twice
	// across a restart (contract §8).
	Interval time.Duration
	// Release lets go of what only this setup used. It is called when the next
	// one has taken over.
	Release func()
}

// SourceSetup is one configured source, ready to be asked.
type SourceSetup struct {
	Name, Type      string
	Source          target.Source
	Relabeler       Relabeler
	Policy          SourcePolicy
	RefreshInterval time.Duration
	Timeout         time.Duration
	// Fingerprint is of the mechanism's options and the relabel rules. The first
	// listing after it changed is free of the guard's ratio (contract §6).
	Fingerprint string
	// Explain relabels one instance again, for people; nil: nobody can ask.
	Explain func(raw target.Raw) (before, after target.Labels, t target.Target)
}

// Relabeler turns one part of a listing into targets by Key. It is used by one
// goroutine at a time.
type Relabeler interface {
	Targets(p target.Part) ([]*target.Target, []target.Rejection)
	// Recall is Targets of what an earlier run listed: what it left out is no news.
	Recall(p target.Part) ([]*target.Target, []target.Rejection)
	// Forget drops what is remembered of a part that is gone.
	Forget(part string)
}

// Publisher keeps the output files. File names, templates and shards live
// behind it alone.
type Publisher interface {
	// Load returns what every output file says now.
	Load() (map[string][]target.Target, error)
	// Lost reports whether, at the latest Load, a file of ours was missing or
	// could not be understood, so that Load does not know all that is published.
	Lost() bool
	// Intact reports whether no file was touched by anybody else since.
	Intact() bool
	// Publish makes the files say want and nothing else, as far as it can and
	// may now. An error concerns single files: the others were written. Nobody
	// may write to the targets, nor keep the slice.
	Publish(ctx context.Context, want []*target.Target) (Outcome, error)
	// Flush writes at once what Publish deferred.
	Flush(ctx context.Context) error
	// Touch refreshes the modification time of each file all of whose sources
	// are true in answered.
	Touch(answered map[string]bool) error
	// Files names the files that a target goes to.
	Files(t target.Target) []string
}

// Outcome is what a Publisher did.
type Outcome struct {
	Written []string            // files that have a new content, by name
	Behind  map[target.Key]bool // keys whose wanted state is not on disk yet
	NextAt  time.Time           // when to publish again all the same; zero: no need
	Failing error               // what could not be written, now or before, and waits to be tried again
}

// Sweeper probes targets.
type Sweeper interface {
	// Run probes the newest set that came on set, each target at its cadence,
	// until ctx ends.
	Run(ctx context.Context, set <-chan []health.Check, out chan<- []health.Result) error
	// Once probes each target once and leaves out what ctx cut off.
	Once(ctx context.Context, checks []health.Check) []health.Result
	// Ask asks each target once who it is and leaves out what ctx cut off.
	Ask(ctx context.Context, checks []health.Check) []health.Result
}

// Folder is where the state lives: small files, replaced atomically.
type Folder interface {
	// Read returns fs.ErrNotExist for a file that was never written.
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
	// Stream is Write for what is too large to be in memory as a whole.
	Stream(name string, content func(io.Writer) error) error
	// SetAside moves a damaged file out of the way and says where to.
	SetAside(name string) (string, error)
}

// Options are what an Engine is made of besides its Setup.
type Options struct {
	Sweeper Sweeper
	Folder  Folder // nil: nothing is remembered across runs
	Metrics *Metrics
	Logger  *slog.Logger
	Now     func() time.Time
	// Beat is called by Run's loop at every turn, at least every 5 s while no
	// step is under way: a sign of life of the very goroutine that does the work.
	// nil: nobody listens.
	Beat func()
}

// policy gathers what Decide needs to know of a setup.
func (s Setup) policy() Policy {
	p := Policy{Version: s.Version, Sources: make(map[string]SourcePolicy, len(s.Sources)+1)}
	for _, src := range s.Sources {
		p.Sources[src.Name] = src.Policy
	}
	p.Sources[""] = s.Unclaimed
	if s.Publisher != nil {
		p.Files = s.Publisher.Files
	}
	return p
}
