package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/target"
)

const (
	stateFilter = "instance-state-name"
	// pageSize is the most that EC2 allows.
	pageSize = 1000
)

// described is what an instance becomes.
type described struct {
	id       string
	raws     []target.Raw
	rejected []target.Rejection
}

// List reads all pages. One that is missing fails the whole.
func (p *part) List(ctx context.Context) (*amazon.Listing, error) {
	input := &ec2.DescribeInstancesInput{MaxResults: aws.Int32(pageSize), Filters: p.source.filters}
	var all []described
	seen := map[string]bool{}
	for {
		out, err := p.describeInstances(ctx, input)
		if err != nil {
			return nil, err
		}
		if out.Reservations == nil {
			// The SDK takes an empty body, and any other XML, for an empty list.
			return nil, amazon.Partial("the answer has no list of instances")
		}
		if all, err = p.page(ctx, out.Reservations, all); err != nil {
			return nil, err
		}
		token := value(out.NextToken)
		if token == "" {
			return gather(all), nil
		}
		if seen[token] {
			return nil, amazon.Partial("the pages go round in a circle")
		}
		seen[token] = true
		input.NextToken = &token
	}
}

// page adds the instances of one page.
func (p *part) page(ctx context.Context, reservations []types.Reservation, all []described) ([]described, error) {
	here := place{region: p.region, zones: &p.zones, opts: p.source.opts}
	for _, r := range reservations {
		for i := range r.Instances {
			inst := &r.Instances[i]
			if value(inst.InstanceId) == "" {
				return nil, amazon.Partial("an instance has no id")
			}
			if p.zones.lack(inst) {
				if err := p.askZones(ctx); err != nil {
					return nil, err
				}
			}
			raws, rejected := here.describe(found{inst, value(r.OwnerId)})
			all = append(all, described{*inst.InstanceId, raws, rejected})
		}
	}
	return all, nil
}

// gather orders what the pages held. An instance that is on two of them, because
// something was launched meanwhile, is as the later one says.
func gather(all []described) *amazon.Listing {
	slices.SortStableFunc(all, func(a, b described) int { return strings.Compare(a.id, b.id) })
	l := &amazon.Listing{}
	for i, d := range all {
		if i+1 < len(all) && all[i+1].id == d.id {
			continue
		}
		l.Raw = append(l.Raw, d.raws...)
		l.Rejected = append(l.Rejected, d.rejected...)
	}
	return l
}

// filters are those configured, as EC2 takes them; an instance that does not
// run is no target unless they say which states to list.
func (o *Options) filters() []types.Filter {
	filters := make([]types.Filter, 0, len(o.Filters)+1)
	for _, f := range o.Filters {
		filters = append(filters, types.Filter{Name: aws.String(f.Name), Values: f.Values})
	}
	if !o.namesState() {
		filters = append(filters, types.Filter{Name: aws.String(stateFilter), Values: []string{string(types.InstanceStateNameRunning)}})
	}
	return filters
}
