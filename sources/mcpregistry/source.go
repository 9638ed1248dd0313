// Package mcpregistry lists the servers of a registry that speaks the API of the
// MCP registry, v0.1: an organisation's own one, or the public one.
//
// A server has remotes, the URLs at which it is reached; each is a target. The
// source reads all pages once, and then asks for changes only (updated_since),
// with a full listing now and then, and at once wherever changes leave a doubt:
// a registry that takes an entry out without a trace tells so in a full listing
// alone. Nothing is ever applied by half (contract §4).
//
// The caveats: a registry says where a server is, not where its metrics are, nor
// how many instances stand behind a name. And whoever may publish chooses
// addresses that are probed: where that is not only the operator's own people,
// name_regex has to say whose servers count.
package mcpregistry

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// partName is the name of the only part.
const partName = "registry"

const (
	// A full listing is due after so many that asked for changes,
	fullEvery = 9
	// and after this time.
	fullAfter = time.Hour
)

// source is a target.Source.
type source struct {
	name    string
	client  *client
	timeout time.Duration
	log     *slog.Logger

	known     inventory
	full      time.Time // when known was listed in full; zero: never
	followed  int       // listings of changes since then
	wholesale bool      // changes can't be asked for: the registry does not know how

	told *told // what the latest listing said; nil: a failure
}

type told struct {
	raws     []target.Raw
	rejected []target.Rejection
}

// New builds the source. It asks nobody; its error is one that no waiting mends.
func (o *Options) New(env target.Env) (target.Source, error) {
	opts := *o
	opts.SetDirectory(env.Dir)
	selected, err := anchored(opts.NameRegex)
	if err != nil {
		return nil, target.FieldError{Field: "name_regex", Err: err}
	}
	c, err := newClient(&opts)
	if err != nil {
		return nil, err
	}
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	return &source{
		name: env.Source, client: c, timeout: cmp.Or(env.Timeout, 30*time.Second), log: env.Logger,
		known: inventory{selected: selected, latestOnly: opts.Versions != allVersions, deprecated: opts.IncludeDeprecated},
	}, nil
}

// Discover implements target.Source.
func (s *source) Discover(ctx context.Context) target.Listing {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer s.client.http.CloseIdleConnections()
	l := target.Listing{Source: s.name, Parts: []target.Part{s.part(ctx)}}
	l.At = time.Now()
	l.Took = l.At.Sub(began)
	return l
}

func (s *source) part(ctx context.Context) target.Part {
	before := s.told
	s.told = nil
	if err := s.refresh(ctx); err != nil {
		return target.Part{Name: partName, Err: err}
	}
	now := &told{}
	now.raws, now.rejected = s.known.list()
	s.told = now
	if before != nil && before.equal(now) {
		return target.Part{Name: partName, Unchanged: true}
	}
	return target.Part{Name: partName, Raw: now.raws, Rejected: now.rejected}
}

func (t *told) equal(o *told) bool {
	return slices.Equal(t.rejected, o.rejected) && slices.EqualFunc(t.raws, o.raws, func(a, b target.Raw) bool {
		return a.Identity == b.Identity && labels.Equal(a.Labels, b.Labels)
	})
}

// refresh brings what is known up to date, or leaves it as it is and says why.
func (s *source) refresh(ctx context.Context) error {
	if since, known := s.known.since(); known && !s.due() {
		if done, err := s.follow(ctx, since); done || err != nil {
			return err
		}
	}
	l, err := s.client.ask(ctx, s.wanted())
	if err != nil {
		return err
	}
	s.known.replace(l)
	s.full, s.followed = time.Now(), 0
	return nil
}

// due reports whether it is time for a full listing.
func (s *source) due() bool {
	return s.wholesale || s.full.IsZero() || s.followed >= fullEvery || time.Since(s.full) >= fullAfter
}

// wanted is the question for everything.
func (s *source) wanted() url.Values {
	if s.known.latestOnly {
		return url.Values{"version": {latestVersion}}
	}
	return nil
}

// follow asks for what has changed, in every version: a version that was deleted
// is the latest no more. It is not done where only a full listing can tell.
func (s *source) follow(ctx context.Context, since time.Time) (done bool, err error) {
	l, err := s.client.ask(ctx, url.Values{
		"updated_since": {since.UTC().Format(time.RFC3339)}, "include_deleted": {"true"},
	})
	switch {
	case classOf(err) == Refused, err == nil && !filtered(l.entries, since):
		s.log.Info("the registry can't be asked for changes, so every listing reads all of it", "err", err)
		s.wholesale = true
		return false, nil
	case err != nil:
		return false, err
	}
	if !s.known.apply(l) {
		return false, nil
	}
	s.followed++
	return true, nil
}
