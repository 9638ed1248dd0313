package ec2test

import (
	"maps"
	"slices"
	"strings"
)

// What ECS answers with, as far as it is played here; lists are there even when
// nothing is in them.
type (
	clusterItem struct {
		ARN    string   `json:"clusterArn"`
		Name   string   `json:"clusterName"`
		Status string   `json:"status"`
		Tags   []ecsTag `json:"tags"`
	}
	serviceItem struct {
		ARN     string   `json:"serviceArn"`
		Name    string   `json:"serviceName"`
		Cluster string   `json:"clusterArn"`
		Status  string   `json:"status"`
		Tags    []ecsTag `json:"tags"`
	}
	machineItem struct {
		ARN       string   `json:"containerInstanceArn"`
		EC2       string   `json:"ec2InstanceId"`
		Status    string   `json:"status"`
		Connected bool     `json:"agentConnected"`
		Tags      []ecsTag `json:"tags"`
	}
	definitionItem struct {
		ARN         string                `json:"taskDefinitionArn"`
		Containers  []containerDefinition `json:"containerDefinitions"`
		Family      string                `json:"family"`
		Revision    int                   `json:"revision"`
		NetworkMode string                `json:"networkMode,omitempty"`
		Status      string                `json:"status"`
	}
	containerDefinition struct {
		Name   string            `json:"name"`
		Image  string            `json:"image"`
		Labels map[string]string `json:"dockerLabels,omitempty"`
	}
	taskItem struct {
		ARN             string           `json:"taskArn"`
		Cluster         string           `json:"clusterArn"`
		Definition      string           `json:"taskDefinitionArn"`
		Machine         string           `json:"containerInstanceArn,omitempty"`
		LastStatus      string           `json:"lastStatus"`
		DesiredStatus   string           `json:"desiredStatus"`
		Health          string           `json:"healthStatus,omitempty"`
		Containers      []containerItem  `json:"containers"`
		CreatedAt       float64          `json:"createdAt"`
		Group           string           `json:"group"`
		LaunchType      string           `json:"launchType"`
		PlatformFamily  string           `json:"platformFamily,omitempty"`
		PlatformVersion string           `json:"platformVersion,omitempty"`
		Zone            string           `json:"availabilityZone,omitempty"`
		Attachments     []attachmentItem `json:"attachments"`
		Tags            []ecsTag         `json:"tags"`
	}
	containerItem struct {
		ARN        string        `json:"containerArn"`
		Name       string        `json:"name"`
		Image      string        `json:"image,omitempty"`
		LastStatus string        `json:"lastStatus"`
		Bindings   []bindingItem `json:"networkBindings"`
		Interfaces []eniItem     `json:"networkInterfaces"`
	}
	bindingItem struct {
		BindIP         string `json:"bindIP"`
		ContainerPort  int    `json:"containerPort,omitempty"`
		HostPort       int    `json:"hostPort,omitempty"`
		ContainerRange string `json:"containerPortRange,omitempty"`
		HostRange      string `json:"hostPortRange,omitempty"`
		Protocol       string `json:"protocol"`
	}
	eniItem struct {
		ID   string `json:"attachmentId"`
		IPv4 string `json:"privateIpv4Address,omitempty"`
		IPv6 string `json:"ipv6Address,omitempty"`
	}
	attachmentItem struct {
		ID      string       `json:"id"`
		Type    string       `json:"type"`
		Status  string       `json:"status"`
		Details []detailItem `json:"details"`
	}
	detailItem struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

func (s *Server) listClusters(q *query) *answer {
	names := slices.Collect(maps.Keys(s.ecs.clusters))
	names = slices.DeleteFunc(names, func(arn string) bool { return !q.owns(s.ecs.clusters[arn].Place) })
	page, next, failed := q.cutARNs(names)
	if failed != nil {
		return failed
	}
	return renderJSON(struct {
		ARNs []string `json:"clusterArns"`
		Next string   `json:"nextToken,omitempty"`
	}{page, next})
}

func (q *query) owns(p Place) bool { return p.Account == q.key.account && p.Region == q.region }

func (s *Server) findCluster(q *query, name string) *Cluster {
	if !strings.HasPrefix(name, "arn:") {
		name = Place{Account: q.key.account, Region: q.region}.arn("cluster", name)
	}
	c, ok := s.ecs.clusters[name]
	if !ok || !q.owns(c.Place) {
		return nil
	}
	return &c
}

func (s *Server) describeClusters(q *query) *answer {
	if len(q.ecs.Clusters) > 100 {
		return q.invalid("Clusters cannot have more than 100 entries.")
	}
	found, missing := described(q.ecs.Clusters, Place{Account: q.key.account, Region: q.region}.arn("cluster", ""), func(arn string) (*Cluster, bool) {
		c := s.findCluster(q, arn)
		return c, c != nil
	}, func(c *Cluster) clusterItem {
		return clusterItem{c.arn(), c.Cluster, c.Status, q.tags(c.Tags)}
	})
	return renderJSON(struct {
		Clusters []clusterItem `json:"clusters"`
		Failures []failure     `json:"failures"`
	}{found, missing})
}

func (s *Server) listTasks(q *query, c *Cluster) *answer {
	var names []string
	for arn, t := range s.ecs.tasks {
		if t.cluster() == c.arn() && (t.Desired == "STOPPED") == (q.ecs.DesiredStatus == "STOPPED") {
			names = append(names, arn)
		}
	}
	page, next, failed := q.cutARNs(names)
	if failed != nil {
		return failed
	}
	return renderJSON(struct {
		ARNs []string `json:"taskArns"`
		Next string   `json:"nextToken,omitempty"`
	}{page, next})
}

func (s *Server) describeTasks(q *query, c *Cluster) *answer {
	if n := len(q.ecs.Tasks); n == 0 || n > 100 {
		return q.invalid("Tasks cannot be empty, and cannot have more than 100 entries.")
	}
	found, missing := described(q.ecs.Tasks, c.Place.arn("task", c.Cluster+"/"), func(arn string) (Task, bool) {
		t, ok := s.ecs.tasks[arn]
		return t, ok && !t.Missing && t.cluster() == c.arn()
	}, func(t Task) taskItem { return q.task(t) })
	return renderJSON(struct {
		Tasks    []taskItem `json:"tasks"`
		Failures []failure  `json:"failures"`
	}{found, missing})
}

func (q *query) task(t Task) taskItem {
	item := taskItem{
		ARN: t.arn(), Cluster: t.cluster(), Definition: t.definition(t.Family, t.Revision), LastStatus: t.Status, DesiredStatus: t.Desired,
		Health: t.Health, CreatedAt: 1557134011.644, Group: t.Group, LaunchType: t.LaunchType, PlatformFamily: t.Platform,
		PlatformVersion: t.PlatformVersion, Zone: t.Zone, Containers: []containerItem{}, Attachments: []attachmentItem{}, Tags: q.tags(t.Tags),
	}
	if t.ContainerInstance != "" {
		item.Machine = ContainerInstance{Place: t.Place, ID: t.ContainerInstance}.arn()
	}
	if t.ENI != "" {
		item.Attachments = append(item.Attachments, t.attachment())
	}
	for _, c := range t.Containers {
		item.Containers = append(item.Containers, t.container(c))
	}
	return item
}

func (t Task) attachment() attachmentItem {
	a := attachmentItem{ID: "a-" + t.ID, Type: "ElasticNetworkInterface", Status: "ATTACHED"}
	for _, d := range []detailItem{
		{"subnetId", t.Subnet},
		{"networkInterfaceId", t.ENI},
		{"macAddress", "0a:90:09:84:f9:14"},
		{"privateIPv4Address", t.PrivateIP},
		{"ipv6Address", t.IPv6},
	} {
		if d.Value != "" {
			a.Details = append(a.Details, d)
		}
	}
	return a
}

func (t Task) container(c Container) containerItem {
	item := containerItem{
		ARN: t.Place.arn("container", t.Cluster+"/"+t.ID+"/"+c.Name), Name: c.Name, Image: c.Image, LastStatus: t.Status,
		Bindings: []bindingItem{}, Interfaces: []eniItem{},
	}
	if t.ENI != "" {
		item.Interfaces = append(item.Interfaces, eniItem{"a-" + t.ID, t.PrivateIP, t.IPv6})
	}
	for _, b := range c.Bindings {
		item.Bindings = append(item.Bindings, bindingItem{"0.0.0.0", b.ContainerPort, b.HostPort, b.ContainerPortRange, b.HostPortRange, "tcp"})
	}
	return item
}

func (s *Server) describeServices(q *query, c *Cluster) *answer {
	if n := len(q.ecs.Services); n == 0 || n > 10 {
		return q.invalid("Services cannot be empty, and cannot have more than 10 entries.")
	}
	found, missing := described(q.ecs.Services, c.Place.arn("service", c.Cluster+"/"), func(arn string) (Service, bool) {
		v, ok := s.ecs.services[arn]
		return v, ok
	}, func(v Service) serviceItem {
		return serviceItem{v.arn(), v.Name, v.cluster(), v.Status, q.tags(v.Tags)}
	})
	return renderJSON(struct {
		Services []serviceItem `json:"services"`
		Failures []failure     `json:"failures"`
	}{found, missing})
}

func (s *Server) describeContainerInstances(q *query, c *Cluster) *answer {
	if n := len(q.ecs.ContainerInstances); n == 0 || n > 100 {
		return q.invalid("Container instances cannot be empty, and cannot have more than 100 entries.")
	}
	found, missing := described(q.ecs.ContainerInstances, c.Place.arn("container-instance", c.Cluster+"/"), func(arn string) (ContainerInstance, bool) {
		m, ok := s.ecs.machines[arn]
		return m, ok
	}, func(m ContainerInstance) machineItem {
		return machineItem{m.arn(), m.EC2InstanceID, "ACTIVE", true, []ecsTag{}}
	})
	return renderJSON(struct {
		Instances []machineItem `json:"containerInstances"`
		Failures  []failure     `json:"failures"`
	}{found, missing})
}

func (s *Server) describeTaskDefinition(q *query) *answer {
	name := q.ecs.TaskDefinition
	if !strings.HasPrefix(name, "arn:") {
		name = Place{Account: q.key.account, Region: q.region}.arn("task-definition", name)
	}
	d, ok := s.ecs.definitions[name]
	if !ok || !q.owns(d.Place) {
		return q.fail(400, "ClientException", "Unable to describe task definition.")
	}
	item := definitionItem{ARN: d.arn(), Family: d.Family, Revision: max(d.Revision, 1), NetworkMode: d.NetworkMode, Status: "ACTIVE", Containers: []containerDefinition{}}
	for _, c := range d.Containers {
		item.Containers = append(item.Containers, containerDefinition{c.Name, c.Image, c.DockerLabels})
	}
	return renderJSON(struct {
		Definition definitionItem `json:"taskDefinition"`
		Tags       []ecsTag       `json:"tags"`
	}{item, []ecsTag{}})
}
