// Package ec2 lists the instances of Amazon EC2, with Prometheus' own options
// and labels for it, in several regions and accounts at once.
//
// Each account in each region is a part with an outcome of its own: all are
// asked side by side, page by page, within one rate limit. The caveat: EC2 is
// asked, it does not call, so a change is seen with the next refresh; and it is
// eventually consistent, so an instance that was just launched may be absent
// from an answer that is whole. An answer that is not (a page that is lost, a
// body that is cut off, a proxy's own page) fails its part; none ever shortens a
// listing (contract §4).
package ec2

import (
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/target"
)

// Source lists instances of EC2.
type Source struct {
	*amazon.Source
	opts    *Options
	filters []types.Filter
	parts   []*part
}

// New builds the source. It asks nobody; its error is one that no waiting mends.
func (o *Options) New(env target.Env) (target.Source, error) {
	opts := *o
	shared, err := amazon.NewSource(opts.Access, env, "ec2")
	if err != nil {
		return nil, err
	}
	s := &Source{Source: shared, opts: &opts, filters: opts.filters()}
	for _, role := range opts.AllRoles() {
		for _, region := range opts.AllRegions() {
			if err := s.add(role, region, env.Logger); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *Source) add(role, region string, log *slog.Logger) error {
	p := &part{source: s, log: log}
	if err := s.Add(role, region, "the instances", p); err != nil {
		return err
	}
	p.Part = s.Parts[len(s.Parts)-1]
	s.parts = append(s.parts, p)
	return nil
}
