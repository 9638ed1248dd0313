package ecs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// part is one account in one region, or one cluster in it, and an
// amazon.Lister. Its clusters are asked side by side.
type part struct {
	opts    *Options
	cluster string // as configured; "" is all
	region  string
	calls   calls
	turns   chan struct{} // as many questions may be under way

	mu          sync.Mutex             // guards what never changes and is asked for once
	definitions map[string]*definition // by ARN
	machines    map[string]string      // EC2 instances of container instances, by ARN
}

// calls are those of the clients, not the clients: values of those types that
// reflection could reach keep all of their methods in the binary.
type calls struct {
	listClusters               func(context.Context, *ecs.ListClustersInput, ...func(*ecs.Options)) (*ecs.ListClustersOutput, error)
	describeClusters           func(context.Context, *ecs.DescribeClustersInput, ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error)
	listTasks                  func(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	describeTasks              func(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
	describeServices           func(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	describeTaskDefinition     func(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
	describeContainerInstances func(context.Context, *ecs.DescribeContainerInstancesInput, ...func(*ecs.Options)) (*ecs.DescribeContainerInstancesOutput, error)
	describeInstances          func(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	describeNetworkInterfaces  func(context.Context, *ec2.DescribeNetworkInterfacesInput, ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error)
}

// Connect is that of amazon.Lister.
func (p *part) Connect(cfg aws.Config, endpoint string) {
	p.region = cfg.Region
	c := ecs.NewFromConfig(cfg, func(o *ecs.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	e := ec2.NewFromConfig(cfg)
	p.calls = calls{
		c.ListClusters, c.DescribeClusters, c.ListTasks, c.DescribeTasks, c.DescribeServices, c.DescribeTaskDefinition,
		c.DescribeContainerInstances, e.DescribeInstances, e.DescribeNetworkInterfaces,
	}
}

// ask asks one question when it is its turn.
func ask[I, O, F any](ctx context.Context, p *part, call func(context.Context, *I, ...func(*F)) (*O, error), in *I) (*O, error) {
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
		return call(ctx, in)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// List is that of amazon.Lister: of all clusters of the part. One that fails is a
// failure of the whole.
func (p *part) List(ctx context.Context) (*amazon.Listing, error) {
	clusters, err := p.clusters(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]*stage, len(clusters))
	g, ctx := errgroup.WithContext(ctx)
	for i := range clusters {
		g.Go(func() error {
			s, err := p.stage(ctx, &clusters[i])
			if err != nil {
				return amazon.Explain(err, "cluster "+value(clusters[i].ClusterName))
			}
			found[i] = s
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	p.forget(found)
	l := &amazon.Listing{}
	for _, s := range found {
		for i := range s.tasks {
			raw, rejected := s.describe(&s.tasks[i])
			l.Raw, l.Rejected = append(l.Raw, raw...), append(l.Rejected, rejected...)
		}
	}
	return l, nil
}

// forget drops what no task needs any more.
func (p *part) forget(found []*stage) {
	definitions, machines := map[string]*definition{}, map[string]string{}
	for _, s := range found {
		for _, t := range s.tasks {
			if d, ok := p.definitions[value(t.TaskDefinitionArn)]; ok {
				definitions[value(t.TaskDefinitionArn)] = d
			}
			if m, ok := p.machines[value(t.ContainerInstanceArn)]; ok {
				machines[value(t.ContainerInstanceArn)] = m
			}
		}
	}
	p.definitions, p.machines = definitions, machines
}

// accounted checks that each name that was asked for is among those that were
// described or that ECS has a failure for, and returns those that it says are
// missing. Any other failure, or none, is an answer that is not whole.
func accounted(what string, asked, described []string, failures []types.Failure) (missing []string, err error) {
	rest := map[string]bool{}
	for _, name := range asked {
		rest[name] = true
	}
	for _, name := range described {
		delete(rest, name)
	}
	for _, f := range failures {
		name := value(f.Arn)
		if !rest[name] {
			name = name[strings.LastIndex(name, "/")+1:] // it was asked for by name
		}
		if value(f.Reason) != "MISSING" {
			return nil, amazon.Partial(fmt.Sprintf("ECS could not describe %s %s: %s %s", what, value(f.Arn), value(f.Reason), value(f.Detail)))
		}
		if rest[name] {
			missing = append(missing, name)
			delete(rest, name)
		}
	}
	for _, name := range asked {
		if rest[name] {
			return nil, amazon.Partial(fmt.Sprintf("the answer lacks %s %s", what, name))
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// pages asks page by page. The answer to an empty one is a list, too: none at
// all is no answer of ECS.
func pages(what string, ask func(token *string) (list []string, next *string, err error)) (all []string, err error) {
	var token *string
	seen := map[string]bool{}
	for {
		list, next, err := ask(token)
		switch {
		case err != nil:
			return nil, err
		case list == nil:
			return nil, amazon.Partial("the answer has no list of " + what)
		}
		all = append(all, list...)
		if value(next) == "" {
			return amazon.Sorted(all), nil
		}
		if seen[*next] {
			return nil, amazon.Partial("the pages go round in a circle")
		}
		seen[*next] = true
		token = next
	}
}

// value of a string that may be absent.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
