package ecs

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	metaPrefix = target.MetaPrefix + "ecs_"
	running    = "RUNNING"
)

// describe turns a task into targets, one for each endpoint, with Prometheus'
// labels and the standard ones.
func (s *stage) describe(t *types.Task) ([]target.Raw, []target.Rejection) {
	net, h := networkOf(t), s.hosts[value(t.ContainerInstanceArn)]
	ip := s.address(net, h)
	if ip == "" {
		return nil, s.unreachable(t)
	}
	endpoints, rejected := s.endpoints(t)
	b := labels.NewBuilder(labels.EmptyLabels())
	s.setTask(b, t)
	s.setService(b, t)
	s.setNetwork(b, net, h, ip)
	raws := make([]target.Raw, len(endpoints))
	base := b.Labels()
	for i, e := range endpoints {
		b.Reset(base)
		s.setContainer(b, e)
		s.setStandard(b, t, e)
		b.Set(target.AddressLabel, joined(ip, e.port))
		raws[i] = target.Raw{Identity: value(t.TaskArn), Labels: b.Labels()}
	}
	return raws, rejected
}

func joined(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }

// unreachable rejects a task without an address, unless it has not begun.
func (s *stage) unreachable(t *types.Task) []target.Rejection {
	if value(t.LastStatus) != running {
		return nil
	}
	return []target.Rejection{{
		Address: value(t.TaskArn), Reason: noAddress,
		Detail: fmt.Sprintf("task %s (%s) has no address: neither a network interface of its own, nor a host in EC2 with a private address", value(t.TaskArn), cmp.Or(string(t.LaunchType), "of no launch type")),
	}}
}

// network is the network interface that a task has of its own.
type network struct{ eni, subnet, ip, ipv6 string }

// networkOf a task in mode awsvpc; nil in any other.
func networkOf(t *types.Task) *network {
	for _, a := range t.Attachments {
		if value(a.Type) != "ElasticNetworkInterface" {
			continue
		}
		n := &network{}
		for _, d := range a.Details {
			switch value(d.Name) {
			case "networkInterfaceId":
				n.eni = value(d.Value)
			case "subnetId":
				n.subnet = value(d.Value)
			case "privateIPv4Address":
				n.ip = value(d.Value)
			case "ipv6Address":
				n.ipv6 = value(d.Value)
			}
		}
		return n
	}
	return nil
}

// address by which a task is reached, "" if it can't be.
func (s *stage) address(n *network, h *host) string {
	switch {
	case n != nil:
		return cmp.Or(n.ip, n.ipv6)
	case h != nil:
		return cmp.Or(value(h.PrivateIpAddress), value(h.Ipv6Address))
	}
	return ""
}

func (s *stage) setTask(b *labels.Builder, t *types.Task) {
	b.Set(metaPrefix+"region", s.region)
	b.Set(metaPrefix+"cluster", value(s.cluster.ClusterName))
	b.Set(metaPrefix+"cluster_arn", value(s.cluster.ClusterArn))
	b.Set(metaPrefix+"task_arn", value(t.TaskArn))
	b.Set(metaPrefix+"task_group", value(t.Group))
	b.Set(metaPrefix+"task_definition", value(t.TaskDefinitionArn))
	family := value(t.TaskDefinitionArn)
	family, revision, _ := strings.Cut(family[strings.LastIndex(family, "/")+1:], ":")
	b.Set(metaPrefix+"task_definition_family", family)
	b.Set(metaPrefix+"task_definition_revision", revision)
	b.Set(metaPrefix+"launch_type", string(t.LaunchType))
	b.Set(metaPrefix+"availability_zone", value(t.AvailabilityZone))
	b.Set(metaPrefix+"desired_status", value(t.DesiredStatus))
	b.Set(metaPrefix+"last_status", value(t.LastStatus))
	b.Set(metaPrefix+"health_status", string(t.HealthStatus))
	b.Set(metaPrefix+"platform_family", value(t.PlatformFamily))
	b.Set(metaPrefix+"platform_version", value(t.PlatformVersion))
	b.Set(metaPrefix+"container_instance_arn", value(t.ContainerInstanceArn))
	setAll(b, "tag_cluster_", tagsOf(s.cluster.Tags))
	setAll(b, "tag_task_", tagsOf(t.Tags))
}

func (s *stage) setService(b *labels.Builder, t *types.Task) {
	v := s.services[serviceName(t)]
	if v == nil {
		return
	}
	b.Set(metaPrefix+"service", value(v.ServiceName))
	b.Set(metaPrefix+"service_arn", value(v.ServiceArn))
	b.Set(metaPrefix+"service_status", value(v.Status))
	setAll(b, "tag_service_", tagsOf(v.Tags))
}

// setNetwork gives what Prometheus gives: the host's addresses as the task's
// own where it has none.
func (s *stage) setNetwork(b *labels.Builder, n *network, h *host, ip string) {
	b.Set(metaPrefix+"ip_address", ip)
	if n != nil {
		b.Set(metaPrefix+"network_mode", "awsvpc")
		b.Set(metaPrefix+"subnet_id", n.subnet)
		b.Set(metaPrefix+"public_ip", s.publicIPs[n.eni])
	} else {
		b.Set(metaPrefix+"network_mode", "bridge")
		b.Set(metaPrefix+"subnet_id", value(h.SubnetId))
		b.Set(metaPrefix+"public_ip", value(h.PublicIpAddress))
	}
	if h == nil {
		return
	}
	b.Set(metaPrefix+"ec2_instance_id", h.id)
	b.Set(metaPrefix+"ec2_instance_type", string(h.InstanceType))
	b.Set(metaPrefix+"ec2_instance_private_ip", value(h.PrivateIpAddress))
	b.Set(metaPrefix+"ec2_instance_public_ip", value(h.PublicIpAddress))
	tags := map[string]string{}
	for _, tag := range h.Tags {
		tags[value(tag.Key)] = value(tag.Value)
	}
	setAll(b, "tag_ec2_", tags)
}

func (s *stage) setContainer(b *labels.Builder, e endpoint) {
	b.Set(metaPrefix+"metrics_path", e.path)
	b.Set(metaPrefix+"job", e.job)
	if e.container == nil {
		return
	}
	b.Set(metaPrefix+"container_name", value(e.container.Name))
	b.Set(metaPrefix+"container_arn", value(e.container.ContainerArn))
	image := value(e.container.Image)
	if e.defined != nil {
		image = cmp.Or(image, value(e.defined.Image))
		setAll(b, "container_labels_", e.defined.DockerLabels)
	}
	b.Set(metaPrefix+"container_image", image)
}

// setStandard sets the labels of contract §4: from the container's docker
// labels, then the tags of the task, of the service and of the cluster.
func (s *stage) setStandard(b *labels.Builder, t *types.Task, e endpoint) {
	said := []map[string]string{defined{e.defined}.labels(), tagsOf(t.Tags)}
	if v := s.services[serviceName(t)]; v != nil {
		said = append(said, tagsOf(v.Tags))
	}
	said = append(said, tagsOf(s.cluster.Tags))
	b.Set(target.EnvironmentName, first(said, "environment", "Environment", "env", "Env"))
	b.Set(target.RegionName, s.region)
	b.Set(target.VersionName, first(said, "version", "Version"))
}

// first value that any of these names has, in the first place that has one.
func first(places []map[string]string, names ...string) string {
	for _, place := range places {
		for _, name := range names {
			if place[name] != "" {
				return place[name]
			}
		}
	}
	return ""
}

func tagsOf(tags []types.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[value(t.Key)] = value(t.Value)
	}
	return m
}

// setAll adds a label for each tag. Where two names become one by being
// sanitised, the one that sorts first wins.
func setAll(b *labels.Builder, prefix string, tags map[string]string) {
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(tags))) {
		if name != "" {
			b.Set(metaPrefix+prefix+target.SanitizeLabelName(name), tags[name])
		}
	}
}
