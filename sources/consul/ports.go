package consul

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Reasons for which an instance is left out.
const (
	noPort        = "no_port"         // it has none of the ports that the option ports names
	noExposedPath = "no_exposed_path" // it is no proxy that exposes exposed_path
)

// namedPort is one of several ports of an instance.
type namedPort struct {
	Name    string
	Port    int
	Default bool
}

// proxy is what a Connect proxy says of itself.
type proxy struct {
	DestinationServiceID string
	Expose               struct {
		Paths []struct {
			Path         string
			ListenerPort int
		}
	}
}

// port is the instance's port, or that one of its named ports which stands for
// them all.
func (e *entry) port() int {
	if e.Service.Port == 0 {
		for _, p := range e.Service.Ports {
			if p.Default {
				return p.Port
			}
		}
	}
	return e.Service.Port
}

// setPorts adds what Prometheus lacks: named ports, and what a proxy stands for.
func (e *entry) setPorts(b *labels.Builder) {
	named, exposed := map[string]string{}, map[string]string{}
	for _, p := range e.Service.Ports {
		named[p.Name] = strconv.Itoa(p.Port)
	}
	setAll(b, metaPrefix+"service_port_", named)
	if e.Service.Proxy == nil {
		return
	}
	for _, p := range e.Service.Proxy.Expose.Paths {
		exposed[strings.TrimPrefix(p.Path, "/")] = strconv.Itoa(p.ListenerPort)
	}
	setAll(b, metaPrefix+"exposed_port_", exposed)
	b.Set(metaPrefix+"proxy_destination_service_id", e.Service.Proxy.DestinationServiceID)
}

func withPeer(raw target.Raw, peer string) target.Raw {
	if peer != "" {
		b := labels.NewBuilder(raw.Labels)
		b.Set(metaPrefix+"peer", peer)
		raw.Labels = b.Labels()
	}
	return raw
}

// targets are those that the options make of an instance. As it is, it is one.
func (o *Options) targets(e *entry, raw target.Raw) described {
	switch {
	case o.ExposedPath != "":
		return o.exposed(e, raw)
	case len(o.Ports) > 0:
		return o.named(e, raw)
	}
	return one(raw)
}

// named makes a target of each port that the option ports names.
func (o *Options) named(e *entry, raw target.Raw) described {
	var d described
	for _, p := range e.Service.Ports {
		if slices.Contains(o.Ports, p.Name) {
			b := labels.NewBuilder(raw.Labels)
			b.Set(target.AddressLabel, e.address(p.Port))
			b.Set(metaPrefix+"port_name", p.Name)
			d.raws = append(d.raws, target.Raw{Identity: raw.Identity, Labels: b.Labels()})
		}
	}
	if len(d.raws) == 0 {
		d.rejected = &target.Rejection{
			Address: raw.Labels.Get(target.AddressLabel), Reason: noPort,
			Detail: fmt.Sprintf("instance %s has no port named %s: register it with ports, or take its service out", raw.Identity, strings.Join(o.Ports, " or ")),
		}
	}
	return d
}

// exposed makes a target of the port on which a proxy exposes the path.
func (o *Options) exposed(e *entry, raw target.Raw) described {
	if !hasTags(e.Service.Tags, o.Tags) {
		return described{}
	}
	if e.Service.Proxy != nil {
		for _, p := range e.Service.Proxy.Expose.Paths {
			if p.Path == o.ExposedPath && p.ListenerPort > 0 {
				b := labels.NewBuilder(raw.Labels)
				b.Set(target.AddressLabel, e.address(p.ListenerPort))
				b.Set(metaPrefix+"exposed_path", p.Path)
				return one(target.Raw{Identity: raw.Identity, Labels: b.Labels()})
			}
		}
	}
	return described{rejected: &target.Rejection{
		Address: raw.Labels.Get(target.AddressLabel), Reason: noExposedPath,
		Detail: fmt.Sprintf("%s exposes no path %s: add it to expose.paths of the proxy, or of the service's service-defaults", raw.Identity, o.ExposedPath),
	}}
}

// hasTags reports whether all are there, as Consul compares them.
func hasTags(tags, all []string) bool {
	for _, want := range all {
		if !slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, want) }) {
			return false
		}
	}
	return true
}
