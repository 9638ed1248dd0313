package ecs

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

const stopped = "STOPPED"

// listTasks lists the ARNs of what is to run in a cluster.
func (p *part) listTasks(ctx context.Context, c *types.Cluster) ([]string, error) {
	return pages("tasks", func(token *string) ([]string, *string, error) {
		out, err := ask(ctx, p, p.calls.listTasks, &ecs.ListTasksInput{Cluster: c.ClusterArn, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.TaskArns, out.NextToken, nil
	})
}

// tasks that run in a cluster, or are about to.
func (p *part) tasks(ctx context.Context, c *types.Cluster) ([]types.Task, error) {
	arns, err := p.listTasks(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []types.Task
	var missing []string
	for batch := range slices.Chunk(arns, most) {
		found, lost, err := p.describeTasks(ctx, c, batch)
		if err != nil {
			return nil, err
		}
		all, missing = append(all, found...), append(missing, lost...)
	}
	if err := p.confirmGone(ctx, c, missing); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t types.Task) bool {
		return value(t.DesiredStatus) == stopped || value(t.LastStatus) == stopped // since they were listed
	})
	slices.SortFunc(all, func(a, b types.Task) int { return cmp.Compare(value(a.TaskArn), value(b.TaskArn)) })
	return all, nil
}

func (p *part) describeTasks(ctx context.Context, c *types.Cluster, asked []string) (found []types.Task, missing []string, err error) {
	out, err := ask(ctx, p, p.calls.describeTasks, &ecs.DescribeTasksInput{
		Cluster: c.ClusterArn, Tasks: asked, Include: []types.TaskField{types.TaskFieldTags},
	})
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, t := range out.Tasks {
		names = append(names, value(t.TaskArn))
	}
	missing, err = accounted("task", asked, names, out.Failures)
	return out.Tasks, missing, err
}

// confirmGone lists again where tasks were listed and then missing. One that
// has ended is not listed any more; one that is was missing by mistake, and
// would be missing from the listing.
func (p *part) confirmGone(ctx context.Context, c *types.Cluster, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	again, err := p.listTasks(ctx, c)
	if err != nil {
		return err
	}
	for _, arn := range missing {
		if slices.Contains(again, arn) {
			return amazon.Partial("ECS lists task " + arn + ", but says that it is missing")
		}
	}
	return nil
}
