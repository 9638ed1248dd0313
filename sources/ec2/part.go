package ec2

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// part is one account in one region, and an amazon.Lister.
type part struct {
	*amazon.Part
	source *Source
	log    *slog.Logger
	region string

	// The calls of the client, not the client: a value of that type that
	// reflection could reach keeps its 800 methods in the binary, 30 MB.
	describeInstances func(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	describeZones     func(context.Context, *ec2.DescribeAvailabilityZonesInput, ...func(*ec2.Options)) (*ec2.DescribeAvailabilityZonesOutput, error)

	zones zones
}

// Connect is that of amazon.Lister.
func (p *part) Connect(cfg aws.Config, endpoint string) {
	p.region = cfg.Region
	client := ec2.NewFromConfig(cfg, func(o *ec2.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	p.describeInstances, p.describeZones = client.DescribeInstances, client.DescribeAvailabilityZones
}
