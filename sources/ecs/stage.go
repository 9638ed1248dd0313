package ecs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// stage is a cluster with all that is known of its tasks.
type stage struct {
	opts        *Options
	region      string
	cluster     *types.Cluster
	tasks       []types.Task
	services    map[string]*types.Service // by name
	definitions map[string]*definition    // by ARN
	hosts       map[string]*host          // by ARN of the container instance
	publicIPs   map[string]string         // by id of the network interface
}

// definition is what matters of a task definition. It never changes.
type definition struct {
	mode       types.NetworkMode
	containers []types.ContainerDefinition // only name, image and docker labels
}

// stage asks for everything about a cluster.
func (p *part) stage(ctx context.Context, c *types.Cluster) (*stage, error) {
	s := &stage{opts: p.opts, region: p.region, cluster: c}
	var err error
	if s.tasks, err = p.tasks(ctx, c); err != nil || len(s.tasks) == 0 {
		return s, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { s.services, err = p.services(ctx, s); return err })
	g.Go(func() (err error) { s.definitions, err = p.definitionsOf(ctx, s.tasks); return err })
	g.Go(func() (err error) { s.hosts, err = p.hosts(ctx, s); return err })
	g.Go(func() (err error) { s.publicIPs, err = p.interfaces(ctx, s.tasks); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return s, nil
}

// serviceName is the service that a task belongs to; "" is none.
func serviceName(t *types.Task) string {
	name, _ := strings.CutPrefix(value(t.Group), "service:")
	if name == value(t.Group) {
		return ""
	}
	return name
}

// services that the tasks belong to, by name. One that ECS says is missing is
// left out: its tasks have its name in their group all the same.
func (p *part) services(ctx context.Context, s *stage) (map[string]*types.Service, error) {
	var names []string
	for i := range s.tasks {
		if name := serviceName(&s.tasks[i]); name != "" {
			names = append(names, name)
		}
	}
	found := map[string]*types.Service{}
	for batch := range slices.Chunk(amazon.Sorted(names), mostServices) {
		out, err := ask(ctx, p, p.calls.describeServices, &ecs.DescribeServicesInput{
			Cluster: s.cluster.ClusterArn, Services: batch, Include: []types.ServiceField{types.ServiceFieldTags},
		})
		if err != nil {
			return nil, err
		}
		var described []string
		for i := range out.Services {
			name := value(out.Services[i].ServiceName)
			described = append(described, name)
			found[name] = &out.Services[i]
		}
		if _, err := accounted("service", batch, described, out.Failures); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// definitionsOf tasks, by ARN. None is asked for twice: they never change.
func (p *part) definitionsOf(ctx context.Context, tasks []types.Task) (map[string]*definition, error) {
	found := map[string]*definition{}
	if len(p.opts.DockerLabels) == 0 {
		return found, nil
	}
	var unknown []string
	for _, t := range tasks {
		arn := value(t.TaskDefinitionArn)
		if d := p.known(arn); d != nil {
			found[arn] = d
		} else {
			unknown = append(unknown, arn)
		}
	}
	unknown = amazon.Sorted(unknown)
	asked := make([]*definition, len(unknown))
	g, ctx := errgroup.WithContext(ctx)
	for i, arn := range unknown {
		g.Go(func() (err error) { asked[i], err = p.define(ctx, arn); return err })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, arn := range unknown {
		found[arn] = asked[i]
	}
	return found, nil
}

func (p *part) known(arn string) *definition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.definitions[arn]
}

func (p *part) define(ctx context.Context, arn string) (*definition, error) {
	out, err := ask(ctx, p, p.calls.describeTaskDefinition, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
	if err != nil {
		return nil, amazon.Explain(err, "describing "+arn)
	}
	if out.TaskDefinition == nil || out.TaskDefinition.ContainerDefinitions == nil {
		return nil, amazon.Partial("the answer lacks task definition " + arn)
	}
	d := &definition{mode: out.TaskDefinition.NetworkMode}
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		d.containers = append(d.containers, types.ContainerDefinition{Name: c.Name, Image: c.Image, DockerLabels: c.DockerLabels})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.definitions[arn] = d
	return d, nil
}
