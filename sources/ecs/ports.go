package ecs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/mcp-sd/mcp-sd/target"
)

// Reasons of rejections.
const (
	noAddress = "no_address" // of a task that runs
	badPort   = "bad_port"   // a docker label that is no list of ports
	unmapped  = "unmapped"   // the port has no port on the host
)

// endpoint is where a task may be scraped.
type endpoint struct {
	port      int // as one reaches it
	container *types.Container
	defined   *types.ContainerDefinition // nil where no docker labels are looked at
	path, job string                     // what docker labels say of them
}

// endpoints of a task: of each container that has a docker label for it, else
// the port that is configured.
func (s *stage) endpoints(t *types.Task) (all []endpoint, rejected []target.Rejection) {
	marked := false
	d := s.definitions[value(t.TaskDefinitionArn)]
	for i := range t.Containers {
		c := &t.Containers[i]
		defined := d.container(value(c.Name))
		for _, rule := range s.opts.DockerLabels {
			list, has := defined.labels()[rule.PortLabel]
			if !has {
				continue
			}
			marked = true
			found, wrong := s.marked(t, c, list)
			rejected = append(rejected, wrong...)
			for _, port := range found {
				e := endpoint{port, c, defined.ContainerDefinition, defined.labels()[rule.MetricsPathLabel], defined.labels()[rule.JobNameLabel]}
				if !slices.ContainsFunc(all, func(o endpoint) bool { return o.port == port }) {
					all = append(all, e)
				}
			}
		}
	}
	if marked || s.opts.Port == 0 {
		return all, rejected
	}
	return []endpoint{s.unmarked(t, d)}, nil
}

// marked finds the ports of a list in a docker label, as one reaches them.
func (s *stage) marked(t *types.Task, c *types.Container, list string) (ports []int, rejected []target.Rejection) {
	reject := func(reason, format string, args ...any) {
		rejected = append(rejected, target.Rejection{
			Address: value(t.TaskArn), Reason: reason,
			Detail: fmt.Sprintf("container %s of task %s ", value(c.Name), value(t.TaskArn)) + fmt.Sprintf(format, args...),
		})
	}
	for item := range strings.SplitSeq(list, ",") {
		port, err := strconv.ParseUint(strings.TrimSpace(item), 10, 16)
		if err != nil || port == 0 {
			reject(badPort, "has a docker label with %q for a port: write ports from 1 to 65535, with commas between them", item)
			continue
		}
		at, ok := s.mapped(t, c, int(port))
		switch {
		case ok:
			ports = append(ports, at)
		case value(t.LastStatus) == running: // before that, nothing is mapped
			reject(unmapped, "has no port on its host for port %d: add it to portMappings", port)
		}
	}
	return ports, rejected
}

// unmarked is where a task without docker labels is scraped: where its port is
// mapped, there, else at the port itself, as with Prometheus.
func (s *stage) unmarked(t *types.Task, d *definition) endpoint {
	e := endpoint{port: s.opts.Port}
	for i := range t.Containers {
		if at, ok := binding(&t.Containers[i], s.opts.Port); ok && networkOf(t) == nil {
			e.port = at
			break
		}
	}
	if len(t.Containers) == 1 {
		e.container = &t.Containers[0]
		e.defined = d.container(value(e.container.Name)).ContainerDefinition
	}
	return e
}

// mapped finds the port by which a container's is reached: the same, where the
// task has an address of its own or shares its host's network.
func (s *stage) mapped(t *types.Task, c *types.Container, port int) (int, bool) {
	if networkOf(t) != nil {
		return port, true
	}
	if at, ok := binding(c, port); ok {
		return at, true
	}
	d := s.definitions[value(t.TaskDefinitionArn)]
	return port, d != nil && d.mode == types.NetworkModeHost
}

// binding finds the port on the host that a port of a container is bound to.
func binding(c *types.Container, port int) (int, bool) {
	for _, b := range c.NetworkBindings {
		if b.Protocol == types.TransportProtocolUdp {
			continue
		}
		if b.ContainerPort != nil && int(*b.ContainerPort) == port && b.HostPort != nil && *b.HostPort > 0 {
			return int(*b.HostPort), true
		}
		first, last, ok := portRange(value(b.ContainerPortRange))
		start, _, hasHost := portRange(value(b.HostPortRange))
		if ok && hasHost && first <= port && port <= last {
			return start + port - first, true
		}
	}
	return 0, false
}

// portRange reads "8080-8090".
func portRange(s string) (first, last int, ok bool) {
	a, b, found := strings.Cut(s, "-")
	first, err := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	return first, last, found && err == nil && err2 == nil
}

// defined is a container of a task definition, or nothing.
type defined struct{ *types.ContainerDefinition }

func (d defined) labels() map[string]string {
	if d.ContainerDefinition == nil {
		return nil
	}
	return d.DockerLabels
}

func (d *definition) container(name string) defined {
	if d == nil {
		return defined{}
	}
	for i := range d.containers {
		if value(d.containers[i].Name) == name {
			return defined{&d.containers[i]}
		}
	}
	return defined{}
}
