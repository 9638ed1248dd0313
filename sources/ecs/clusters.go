package ecs

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// most things that ECS describes at once; of services only 10.
const (
	most         = 100
	mostServices = 10
)

// inactive is the status of a cluster that was deleted, and may still be listed.
const inactive = "INACTIVE"

// clusters of the part, with their tags: the one that was named, or all.
func (p *part) clusters(ctx context.Context) ([]types.Cluster, error) {
	if p.cluster != "" {
		return p.namedCluster(ctx)
	}
	arns, err := pages("clusters", func(token *string) ([]string, *string, error) {
		out, err := ask(ctx, p, p.calls.listClusters, &ecs.ListClustersInput{NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.ClusterArns, out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	var all []types.Cluster
	for batch := range slices.Chunk(arns, most) {
		found, _, err := p.describeClusters(ctx, batch, arnOf)
		if err != nil {
			return nil, err
		}
		all = append(all, found...) // one that is missing was deleted meanwhile: it had to be empty for that
	}
	all = slices.DeleteFunc(all, func(c types.Cluster) bool { return value(c.Status) == inactive })
	slices.SortFunc(all, func(a, b types.Cluster) int { return cmp.Compare(arnOf(a), arnOf(b)) })
	return all, nil
}

// namedCluster is the one that was configured. That it is not there is a
// failure: nobody knows what its tasks were.
func (p *part) namedCluster(ctx context.Context) ([]types.Cluster, error) {
	name := func(types.Cluster) string { return p.cluster }
	found, missing, err := p.describeClusters(ctx, []string{p.cluster}, name)
	switch {
	case err != nil:
		return nil, err
	case len(missing) > 0:
		return nil, gone("there is no cluster " + p.cluster)
	case value(found[0].Status) == inactive:
		return nil, gone("cluster " + p.cluster + " was deleted")
	}
	return found[:1], nil
}

func gone(text string) error {
	return &amazon.Failure{Class: amazon.Refused, Err: errors.New(text), Hint: "check clusters, and that region and account are those of the cluster; to let its targets go, take it out of clusters"}
}

func arnOf(c types.Cluster) string { return value(c.ClusterArn) }

func (p *part) describeClusters(ctx context.Context, asked []string, name func(types.Cluster) string) (found []types.Cluster, missing []string, err error) {
	out, err := ask(ctx, p, p.calls.describeClusters, &ecs.DescribeClustersInput{
		Clusters: asked, Include: []types.ClusterField{types.ClusterFieldTags},
	})
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, c := range out.Clusters {
		if arnOf(c) == "" {
			return nil, nil, amazon.Partial("a cluster has no ARN")
		}
		names = append(names, name(c))
	}
	missing, err = accounted("cluster", asked, names, out.Failures)
	return out.Clusters, missing, err
}
