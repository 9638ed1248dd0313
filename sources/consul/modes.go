package consul

import (
	"fmt"
	"slices"
	"strings"
)

// validateAgent says what one agent by itself cannot do.
func (o *Options) validateAgent(e *fieldErrors) {
	if !o.Agent {
		return
	}
	const own = "agent is set as well, which lists what is registered with one agent: "
	for _, c := range []struct {
		field string
		set   bool
		hint  string
	}{
		{"servers", len(o.Servers) > 1, "write a source for each agent"},
		{"datacenter", o.Datacenter != "", "take datacenter out"},
		{"datacenters", len(o.Datacenters) > 0, "take datacenters out"},
		{"peers", len(o.Peers) > 0, "take peers out"},
		{"node_meta", len(o.NodeMeta) > 0, "all of it is on one node, take node_meta out"},
		{"health_filter", o.HealthFilter != "", "keep by __meta_consul_health in relabel_configs instead"},
		{"exposed_path", o.ExposedPath != "", "it may lack what Consul's configuration entries expose, take one of the two out"},
	} {
		if c.set {
			e.add(c.field, own+"%s", c.hint)
		}
	}
}

// validatePeers says what Consul does not know of its peers.
func (o *Options) validatePeers(e *fieldErrors) {
	e.addEmpty("peers", o.Peers)
	for i, peer := range o.Peers {
		if slices.Index(o.Peers, peer) < i {
			e.add(fmt.Sprintf("peers[%d]", i), "%q is there twice", peer)
		}
		if strings.ContainsAny(peer, "/?#") {
			e.add(fmt.Sprintf("peers[%d]", i), "%q is no name of a peer: write it as consul peering list does", peer)
		}
	}
	if len(o.Peers) == 0 {
		return
	}
	if o.Datacenter != "" || len(o.Datacenters) > 0 {
		e.add("peers", "datacenter or datacenters is set as well, and Consul tells the peers of the datacenter that is asked alone: set server to one that is there, and take the other out")
	}
	if o.Filter != "" {
		e.add("filter", "peers is set as well, whose catalogue Consul cannot filter: use service_regex, tags or health_filter")
	}
	if o.ExposedPath != "" {
		e.add("exposed_path", "peers is set as well, and a peer does not tell the paths that its proxies expose: write a source for each")
	}
}

// validateTargets looks at how instances become targets.
func (o *Options) validateTargets(e *fieldErrors) {
	e.addEmpty("ports", o.Ports)
	for i, name := range o.Ports {
		if slices.Index(o.Ports, name) < i {
			e.add(fmt.Sprintf("ports[%d]", i), "%q is there twice", name)
		}
	}
	if o.ExposedPath == "" {
		return
	}
	if !strings.HasPrefix(o.ExposedPath, "/") {
		e.add("exposed_path", "%q is no path: write it as the proxy's registration does, such as /metrics", o.ExposedPath)
	}
	if len(o.Ports) > 0 {
		e.add("ports", "exposed_path is set as well, and Connect takes no named ports: keep one of them")
	}
}
