package ec2test

import (
	"cmp"
	"fmt"
	"strconv"
)

// ECS is what there is in ECS, or what is added to it. What is empty is not in
// the answers, but for what names a thing: that it must have. Account, region
// and cluster are those of the whole where a thing does not say its own.
type ECS struct {
	Account, Region, Cluster string

	Clusters           []Cluster
	Services           []Service
	TaskDefinitions    []TaskDefinition
	ContainerInstances []ContainerInstance
	Tasks              []Task
}

// Place says where a thing is.
type Place struct{ Account, Region, Cluster string }

// Cluster of ECS; its name is that of its place.
type Cluster struct {
	Place
	Status string // "" is ACTIVE
	Tags   map[string]string
}

// Service of a cluster.
type Service struct {
	Place
	Name, Status string // "" is ACTIVE
	Tags         map[string]string
}

// TaskDefinition in one of its revisions.
type TaskDefinition struct {
	Place
	Family      string
	Revision    int // 0 is 1
	NetworkMode string
	Containers  []ContainerDefinition
}

// ContainerDefinition is a container as the task definition has it.
type ContainerDefinition struct {
	Name, Image  string
	DockerLabels map[string]string
}

// ContainerInstance is a machine of a cluster.
type ContainerInstance struct {
	Place
	ID, EC2InstanceID string
}

// Task is one that runs.
type Task struct {
	Place
	ID, Family                string // of its task definition
	Revision                  int    // 0 is 1
	Group, LaunchType         string // "" is family:FAMILY; FARGATE
	Zone, Health              string
	Status, Desired           string // "" is RUNNING
	Platform, PlatformVersion string
	ContainerInstance         string // id; "" is none, as on Fargate
	// ENI of its own in mode awsvpc, and what it has.
	ENI, Subnet, PrivateIP, IPv6, PublicIP string
	Containers                             []Container
	Tags                                   map[string]string
	// Missing has DescribeTasks say that there is no such task.
	Missing bool
}

// Container of a task.
type Container struct {
	Name, Image string
	Bindings    []Binding
}

// Binding is a port of a container on its host, or a range of them.
type Binding struct {
	ContainerPort, HostPort           int
	ContainerPortRange, HostPortRange string
}

// arn of a thing of ECS.
func (p Place) arn(kind, name string) string {
	return "arn:aws:ecs:" + p.Region + ":" + p.Account + ":" + kind + "/" + name
}

func (p Place) within(e ECS) Place {
	return Place{cmp.Or(p.Account, e.Account), cmp.Or(p.Region, e.Region), cmp.Or(p.Cluster, e.Cluster)}
}

func (p Place) cluster() string { return p.arn("cluster", p.Cluster) }

func (c Cluster) arn() string           { return c.cluster() }
func (s Service) arn() string           { return s.Place.arn("service", s.Cluster+"/"+s.Name) }
func (c ContainerInstance) arn() string { return c.Place.arn("container-instance", c.Cluster+"/"+c.ID) }
func (t Task) arn() string              { return t.Place.arn("task", t.Cluster+"/"+t.ID) }

func (d TaskDefinition) arn() string { return d.Place.definition(d.Family, d.Revision) }

func (p Place) definition(family string, revision int) string {
	return p.arn("task-definition", family+":"+strconv.Itoa(max(revision, 1)))
}

// things are those of ECS by ARN.
type things struct {
	clusters    map[string]Cluster
	services    map[string]Service
	definitions map[string]TaskDefinition
	machines    map[string]ContainerInstance
	tasks       map[string]Task
}

func newThings() things {
	return things{map[string]Cluster{}, map[string]Service{}, map[string]TaskDefinition{}, map[string]ContainerInstance{}, map[string]Task{}}
}

// Run adds to ECS, or replaces what is there already under the same name.
func (s *Server) Run(e ECS) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range e.Clusters {
		c.Place, c.Status = c.within(e), cmp.Or(c.Status, "ACTIVE")
		s.ecs.clusters[c.arn()] = c
	}
	for _, v := range e.Services {
		v.Place, v.Status = v.within(e), cmp.Or(v.Status, "ACTIVE")
		s.ecs.services[v.arn()] = v
	}
	for _, d := range e.TaskDefinitions {
		d.Place = d.within(e)
		s.ecs.definitions[d.arn()] = d
	}
	for _, c := range e.ContainerInstances {
		c.Place = c.within(e)
		s.ecs.machines[c.arn()] = c
	}
	for _, t := range e.Tasks {
		t.Place = t.within(e)
		s.ecs.tasks[t.arn()] = t.whole()
	}
}

func (t Task) whole() Task {
	t.Status, t.Desired = cmp.Or(t.Status, "RUNNING"), cmp.Or(t.Desired, "RUNNING")
	t.Group, t.LaunchType = cmp.Or(t.Group, "family:"+t.Family), cmp.Or(t.LaunchType, "FARGATE")
	return t
}

// Stop has tasks end, by their ids: they are described for a while, and not
// listed any more.
func (s *Server) Stop(ids ...string) {
	s.EditTasks(func(t *Task) { t.Desired, t.Status = "STOPPED", "STOPPED" }, ids...)
}

// EditTasks changes tasks in place, by their ids; all of them without.
func (s *Server) EditTasks(edit func(*Task), ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	for arn, t := range s.ecs.tasks {
		if len(ids) == 0 || wanted[t.ID] {
			edit(&t)
			s.ecs.tasks[arn] = t
		}
	}
}

// Tasks makes n plain tasks of a service on Fargate, for what depends on their
// number.
func Tasks(service string, n int) []Task {
	list := make([]Task, n)
	for i := range list {
		list[i] = Task{
			ID: fmt.Sprintf("%032x", i), Family: service, Group: "service:" + service, Zone: "us-east-1a",
			ENI: fmt.Sprintf("eni-%017x", i), Subnet: "subnet-1", PrivateIP: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255),
			Containers: []Container{{Name: "mcp", Image: "mcp:1"}},
		}
	}
	return list
}
