package ecs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// mostValues is how many values EC2 takes in a filter. It is asked by filters,
// not by ids: one id that is gone would make a failure of the whole answer.
const mostValues = 200

// host is a container instance. One that is no instance of EC2 (ECS Anywhere)
// has an id and nothing else.
type host struct {
	id string
	ec2types.Instance
}

// hosts of the tasks that have one, by ARN of the container instance.
func (p *part) hosts(ctx context.Context, s *stage) (map[string]*host, error) {
	var arns []string
	for _, t := range s.tasks {
		if arn := value(t.ContainerInstanceArn); arn != "" {
			arns = append(arns, arn)
		}
	}
	ids, err := p.machinesOf(ctx, s.cluster, amazon.Sorted(arns))
	if err != nil {
		return nil, err
	}
	instances := map[string]*ec2types.Instance{}
	var wanted []string
	for _, id := range ids {
		if isEC2(id) {
			wanted = append(wanted, id)
		}
	}
	for batch := range slices.Chunk(amazon.Sorted(wanted), mostValues) {
		if err := p.instances(ctx, batch, instances); err != nil {
			return nil, err
		}
	}
	found := map[string]*host{}
	for arn, id := range ids {
		h := &host{id: id}
		if isEC2(id) {
			if instances[id] == nil {
				return nil, amazon.Partial("EC2 does not know instance " + id + ", on which tasks run")
			}
			h.Instance = *instances[id]
		}
		found[arn] = h
	}
	return found, nil
}

// isEC2 tells instances of EC2 from the machines of ECS Anywhere ("mi-…").
func isEC2(id string) bool { return strings.HasPrefix(id, "i-") }

// machinesOf finds the ids of container instances. None is asked for twice: it
// stays on its instance. One that is missing has just been taken out of the
// cluster while tasks are said to run on it: the next answer will fit together.
func (p *part) machinesOf(ctx context.Context, c *types.Cluster, arns []string) (map[string]string, error) {
	found := map[string]string{}
	var unknown []string
	p.mu.Lock()
	for _, arn := range arns {
		if id, ok := p.machines[arn]; ok {
			found[arn] = id
		} else {
			unknown = append(unknown, arn)
		}
	}
	p.mu.Unlock()
	for batch := range slices.Chunk(unknown, most) {
		if err := p.askMachines(ctx, c, batch, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (p *part) askMachines(ctx context.Context, c *types.Cluster, asked []string, found map[string]string) error {
	out, err := ask(ctx, p, p.calls.describeContainerInstances, &ecs.DescribeContainerInstancesInput{
		Cluster: c.ClusterArn, ContainerInstances: asked,
	})
	if err != nil {
		return err
	}
	var described []string
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range out.ContainerInstances {
		arn := value(m.ContainerInstanceArn)
		described = append(described, arn)
		found[arn] = value(m.Ec2InstanceId)
		p.machines[arn] = found[arn]
	}
	missing, err := accounted("container instance", asked, described, out.Failures)
	if err == nil && len(missing) > 0 {
		err = amazon.Partial("container instance " + missing[0] + " is missing, on which tasks run")
	}
	return err
}

// instances adds those of EC2 with these ids, as far as it knows them.
func (p *part) instances(ctx context.Context, ids []string, found map[string]*ec2types.Instance) error {
	in := &ec2.DescribeInstancesInput{
		Filters: []ec2types.Filter{{Name: aws.String("instance-id"), Values: ids}}, MaxResults: aws.Int32(1000), IncludeManagedResources: aws.Bool(true),
	}
	_, err := pages("instances", func(token *string) ([]string, *string, error) {
		in.NextToken = token
		out, err := ask(ctx, p, p.calls.describeInstances, in)
		if err != nil || out.Reservations == nil {
			return nil, nil, err
		}
		for _, r := range out.Reservations {
			for i := range r.Instances {
				found[value(r.Instances[i].InstanceId)] = &r.Instances[i]
			}
		}
		return []string{}, out.NextToken, nil
	})
	return err
}

// interfaces finds the public addresses of tasks that have a network interface
// of their own, by its id. One that EC2 does not know has no such address: it
// goes when its task does.
func (p *part) interfaces(ctx context.Context, tasks []types.Task) (map[string]string, error) {
	found := map[string]string{}
	var ids []string
	for i := range tasks {
		if n := networkOf(&tasks[i]); n != nil && n.eni != "" {
			ids = append(ids, n.eni)
		}
	}
	for batch := range slices.Chunk(amazon.Sorted(ids), mostValues) {
		in := &ec2.DescribeNetworkInterfacesInput{
			Filters: []ec2types.Filter{{Name: aws.String("network-interface-id"), Values: batch}}, MaxResults: aws.Int32(1000), IncludeManagedResources: aws.Bool(true),
		}
		_, err := pages("network interfaces", func(token *string) ([]string, *string, error) {
			in.NextToken = token
			out, err := ask(ctx, p, p.calls.describeNetworkInterfaces, in)
			if err != nil || out.NetworkInterfaces == nil {
				return nil, nil, err
			}
			for _, n := range out.NetworkInterfaces {
				if n.Association != nil {
					found[value(n.NetworkInterfaceId)] = value(n.Association.PublicIp)
				}
			}
			return []string{}, out.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
