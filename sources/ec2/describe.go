package ec2

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	metaPrefix = target.MetaPrefix + "ec2_"
	separator  = "," // as in Prometheus, at both ends of a list as well
)

// Reasons of rejections.
const (
	noAddress = "no_address" // the instance lacks the address that `address` asks for
	badPort   = "bad_port"   // the tag that port_tag names is no list of ports
)

// found is an instance, and who owns it.
type found struct {
	*types.Instance
	owner string
}

// place is what the instances of a part have in common.
type place struct {
	region string
	zones  *zones
	opts   *Options
}

// describe turns an instance into targets, one for each port, with Prometheus'
// labels and the standard ones.
func (p place) describe(i found) ([]target.Raw, []target.Rejection) {
	v6 := addressesV6(i.Instance)
	host := p.host(i.Instance, v6)
	if host == "" {
		return nil, []target.Rejection{{
			Address: value(i.InstanceId), Reason: noAddress,
			Detail: fmt.Sprintf("instance %s (%s) has no %s", value(i.InstanceId), state(i.Instance), cmp.Or(p.opts.Address, privateIP)),
		}}
	}
	ports, wrong := p.ports(i.Tags)
	var rejected []target.Rejection
	if len(wrong) > 0 {
		rejected = append(rejected, target.Rejection{
			Address: value(i.InstanceId), Reason: badPort,
			Detail: fmt.Sprintf("instance %s has a tag %q with %s: write ports from 1 to 65535, with commas between them", value(i.InstanceId), p.opts.PortTag, strings.Join(wrong, ", ")),
		})
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	p.setInstance(b, i)
	p.setNetwork(b, i.Instance, v6)
	setTags(b, i.Tags)
	raws := make([]target.Raw, len(ports))
	for n, port := range ports {
		b.Set(target.AddressLabel, net.JoinHostPort(host, strconv.Itoa(port)))
		raws[n] = target.Raw{Identity: value(i.InstanceId), Labels: b.Labels()}
	}
	return raws, rejected
}

func (p place) setInstance(b *labels.Builder, i found) {
	b.Set(metaPrefix+"region", p.region)
	b.Set(metaPrefix+"ami", value(i.ImageId))
	b.Set(metaPrefix+"architecture", string(i.Architecture))
	b.Set(metaPrefix+"instance_id", value(i.InstanceId))
	b.Set(metaPrefix+"instance_lifecycle", string(i.InstanceLifecycle))
	b.Set(metaPrefix+"instance_state", state(i.Instance))
	b.Set(metaPrefix+"instance_type", string(i.InstanceType))
	b.Set(metaPrefix+"owner_id", i.owner)
	b.Set(metaPrefix+"platform", string(i.Platform))
	if i.Placement != nil {
		b.Set(metaPrefix+"availability_zone", value(i.Placement.AvailabilityZone))
		b.Set(metaPrefix+"availability_zone_id", p.zones.id(i.Placement))
	}
	b.Set(target.EnvironmentName, tagged(i.Tags, "environment", "Environment", "env", "Env"))
	b.Set(target.RegionName, p.region)
	b.Set(target.VersionName, tagged(i.Tags, "version", "Version"))
}

func (p place) setNetwork(b *labels.Builder, i *types.Instance, v6 v6) {
	b.Set(metaPrefix+"default_ipv6_address", v6.first())
	b.Set(metaPrefix+"private_dns_name", value(i.PrivateDnsName))
	b.Set(metaPrefix+"private_ip", value(i.PrivateIpAddress))
	b.Set(metaPrefix+"public_ip", value(i.PublicIpAddress))
	if value(i.PublicIpAddress) != "" {
		b.Set(metaPrefix+"public_dns_name", value(i.PublicDnsName))
	}
	setList(b, "ipv6_addresses", v6.all)
	setList(b, "primary_ipv6_addresses", v6.primary)
	if i.VpcId == nil {
		return
	}
	b.Set(metaPrefix+"vpc_id", *i.VpcId)
	b.Set(metaPrefix+"primary_subnet_id", value(i.SubnetId))
	var subnets []string
	for _, eni := range interfaces(i) {
		if eni.SubnetId != nil && !slices.Contains(subnets, *eni.SubnetId) {
			subnets = append(subnets, *eni.SubnetId)
		}
	}
	b.Set(metaPrefix+"subnet_id", separator+strings.Join(subnets, separator)+separator)
}

func setList(b *labels.Builder, name string, list []string) {
	if len(list) > 0 {
		b.Set(metaPrefix+name, separator+strings.Join(list, separator)+separator)
	}
}

func state(i *types.Instance) string {
	if i.State == nil {
		return ""
	}
	return string(i.State.Name)
}

// setTags adds one label for each tag. Where two names become one by being
// sanitised, the one that sorts first wins.
func setTags(b *labels.Builder, tags []types.Tag) {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(x, y types.Tag) int { return strings.Compare(value(y.Key), value(x.Key)) })
	for _, t := range tags {
		if t.Key != nil {
			b.Set(metaPrefix+"tag_"+target.SanitizeLabelName(*t.Key), value(t.Value))
		}
	}
}

// tagged is the value of the first of these tags that has one.
func tagged(tags []types.Tag, names ...string) string {
	for _, name := range names {
		for _, t := range tags {
			if value(t.Key) == name && value(t.Value) != "" {
				return *t.Value
			}
		}
	}
	return ""
}

// ports of an instance, sorted, and what else its tag holds.
func (p place) ports(tags []types.Tag) (ports []int, wrong []string) {
	list := ""
	if p.opts.PortTag != "" {
		list = tagged(tags, p.opts.PortTag)
	}
	if strings.TrimSpace(list) == "" {
		return []int{p.opts.Port}, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		n, err := strconv.ParseUint(item, 10, 16)
		switch {
		case err != nil || n == 0:
			wrong = append(wrong, strconv.Quote(item))
		case !slices.Contains(ports, int(n)):
			ports = append(ports, int(n))
		}
	}
	slices.Sort(ports)
	return ports, wrong
}
