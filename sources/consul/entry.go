package consul

import (
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// entry is the part of api.ServiceEntry that becomes labels.
type entry struct {
	Node    *entryNode
	Service *struct {
		ID, Address, Namespace, Partition string
		Port                              int
		Ports                             []namedPort
		Tags                              []string
		Meta                              map[string]string
		TaggedAddresses                   map[string]api.ServiceAddress
		Proxy                             *proxy
	}
	Checks []struct{ CheckID, Status string }
}

type entryNode struct {
	Node, Address, Datacenter string
	TaggedAddresses, Meta     map[string]string
}

const metaPrefix = target.MetaPrefix + "consul_"

// describe turns an entry into a target with Prometheus' labels and the
// standard ones. The datacenter and the service are those that were asked for;
// where none was, the entry's own datacenter counts.
func (e *entry) describe(dc, service, separator string) (target.Raw, error) {
	if e.Node == nil || e.Service == nil {
		return target.Raw{}, errors.New("an instance lacks its Node or its Service")
	}
	if dc == "" {
		dc = e.Node.Datacenter
	}
	n, svc := e.Node, e.Service
	port := strconv.Itoa(e.port())
	b := labels.NewBuilder(labels.EmptyLabels())
	b.Set(target.AddressLabel, e.address(e.port()))
	b.Set(metaPrefix+"address", n.Address)
	b.Set(metaPrefix+"dc", dc)
	b.Set(metaPrefix+"health", e.health())
	b.Set(metaPrefix+"namespace", svc.Namespace)
	b.Set(metaPrefix+"node", n.Node)
	b.Set(metaPrefix+"partition", svc.Partition)
	b.Set(metaPrefix+"service", service)
	b.Set(metaPrefix+"service_address", svc.Address)
	b.Set(metaPrefix+"service_id", svc.ID)
	b.Set(metaPrefix+"service_port", port)
	// Separators at both ends spare relabelling rules the position of a tag.
	b.Set(metaPrefix+"tags", separator+strings.Join(svc.Tags, separator)+separator)
	setAll(b, metaPrefix+"metadata_", n.Meta)
	setAll(b, metaPrefix+"service_metadata_", svc.Meta)
	setAll(b, metaPrefix+"tagged_address_", n.TaggedAddresses)
	e.setTagged(b)
	e.setPorts(b)
	b.Set(target.EnvironmentName, e.environment())
	b.Set(target.RegionName, e.region(dc))
	b.Set(target.VersionName, e.version())
	return target.Raw{Identity: n.Node + "/" + svc.ID, Labels: b.Labels()}, nil
}

// address is that of a port of the instance.
func (e *entry) address(port int) string {
	host := e.Service.Address
	if host == "" {
		host = e.Node.Address // the service lives on the node that registered it
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// health is the worst state among the checks of the instance and its node.
func (e *entry) health() string {
	checks := make(api.HealthChecks, len(e.Checks))
	for i, c := range e.Checks {
		checks[i] = &api.HealthCheck{CheckID: c.CheckID, Status: c.Status}
	}
	return checks.AggregatedStatus()
}

// setTagged adds what Prometheus lacks: the service's own tagged addresses.
func (e *entry) setTagged(b *labels.Builder) {
	addresses, ports := map[string]string{}, map[string]string{}
	for k, a := range e.Service.TaggedAddresses {
		addresses[k], ports[k] = a.Address, strconv.Itoa(a.Port)
	}
	setAll(b, metaPrefix+"service_tagged_address_", addresses)
	setAll(b, metaPrefix+"service_tagged_port_", ports)
}

// setAll sets one label for each pair. Where two names become one by being
// sanitised, the one that sorts first wins.
func setAll(b *labels.Builder, prefix string, pairs map[string]string) {
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(pairs))) {
		b.Set(prefix+target.SanitizeLabelName(k), pairs[k])
	}
}

// The standard labels, each from the first place of contract §4's table that
// has a value.

func (e *entry) environment() string {
	return first(
		e.Service.Meta["environment"], e.Service.Meta["env"],
		tagged(e.Service.Tags, "environment"), tagged(e.Service.Tags, "env"),
		e.Node.Meta["environment"], e.Node.Meta["env"],
	)
}

func (e *entry) region(dc string) string {
	return first(e.Service.Meta["region"], tagged(e.Service.Tags, "region"), e.Node.Meta["region"], dc)
}

func (e *entry) version() string {
	return first(e.Service.Meta["version"], tagged(e.Service.Tags, "version"))
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// tagged is the value of the first tag "name=value" that has one.
func tagged(tags []string, name string) string {
	for _, t := range tags {
		if v, ok := strings.CutPrefix(t, name+"="); ok && v != "" {
			return v
		}
	}
	return ""
}
