// Package ecs lists the tasks of Amazon ECS, with Prometheus' own options and
// labels for it, in several clusters, regions and accounts at once: on Fargate
// and on EC2, each task by an address of its own (awsvpc) or by its host's and
// the port that its container's is mapped to (bridge, host). Docker labels say
// which ports of which containers, as the common tools for ECS read them.
//
// Each account in each region is a part with an outcome of its own; where
// clusters are named, each of these is. The caveat: it takes many calls to know
// what runs, and ECS goes on meanwhile. What was listed and is then said to be
// missing counts as gone only if it is not listed any more; whatever else is
// asked for and not answered fails its part, and none ever shortens a listing
// (contract §4).
package ecs

import (
	"cmp"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/target"
)

// Source lists tasks of ECS.
type Source struct {
	*amazon.Source
	opts *Options
}

// New builds the source. It asks nobody; its error is one that no waiting mends.
func (o *Options) New(env target.Env) (target.Source, error) {
	opts := *o
	shared, err := amazon.NewSource(opts.Access, env, "ecs")
	if err != nil {
		return nil, err
	}
	s := &Source{shared, &opts}
	for _, role := range opts.AllRoles() {
		for _, region := range opts.AllRegions() {
			if err := s.add(role, region); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// add adds the part of a region, or those of the clusters that can be in it:
// "REGION/CLUSTER", and with a role "ACCOUNT:ROLE/REGION/CLUSTER".
func (s *Source) add(role, region string) error {
	if len(s.opts.Clusters) == 0 {
		return s.Add(role, region, "the tasks", s.newPart(""))
	}
	for _, cluster := range amazon.Sorted(s.opts.Clusters) {
		c, ok := parseCluster(cluster)
		if !ok || !c.mayBeIn(region) || !c.mayBeOf(role) {
			continue
		}
		if err := s.Add(role, region, "the tasks", s.newPart(cluster)); err != nil {
			return err
		}
		s.Parts[len(s.Parts)-1].Name += "/" + c.name
	}
	return nil
}

func (s *Source) newPart(cluster string) *part {
	return &part{
		opts: s.opts, cluster: cluster, turns: make(chan struct{}, cmp.Or(s.opts.RequestConcurrency, 1)),
		definitions: map[string]*definition{}, machines: map[string]string{},
	}
}
