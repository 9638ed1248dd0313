package ecs

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/target"
)

// only lists a source with one part.
func only(tb testing.TB, s *Source) target.Part {
	tb.Helper()
	l := s.Discover(tb.Context())
	if len(l.Parts) != 1 {
		tb.Fatalf("%d parts", len(l.Parts))
	}
	return l.Parts[0]
}

// good lists a source whose one part must not fail.
func good(tb testing.TB, s *Source) target.Part {
	tb.Helper()
	p := only(tb, s)
	if p.Err != nil {
		tb.Fatal(p.Err)
	}
	return p
}

// list is what is listed, as address and path.
func list(p target.Part) (all []string) {
	for _, r := range p.Raw {
		all = append(all, r.Labels.Get(target.AddressLabel)+r.Labels.Get("__meta_ecs_metrics_path"))
	}
	return all
}

// 1,000 tasks are ten pages, each described, in order and once; what never
// changes is asked for once, and public addresses 200 at a time.
func TestPages(t *testing.T) {
	c := newCloud(t)
	c.run(ours, "us-east-1", "a")
	c.Run(ec2test.ECS{Account: ours, Region: "us-east-1", Cluster: "a", Tasks: ec2test.Tasks("web", 1000)})
	s := c.build(t, nil)
	p := good(t, s)
	var ids []string
	for _, r := range p.Raw {
		ids = append(ids, r.Identity)
	}
	if len(ids) != 1001 || !slices.IsSorted(ids) || len(slices.Compact(ids)) != 1001 {
		t.Errorf("%d targets, sorted: %t", len(ids), slices.IsSorted(ids))
	}
	for n, again := range []bool{false, true} {
		got := map[string]int{}
		for _, call := range c.Calls("") {
			got[call.Action]++
		}
		want := map[string]int{
			"ListClusters": 1, "DescribeClusters": 1, "ListTasks": 11, "DescribeTasks": 11, "DescribeServices": 1,
			"DescribeNetworkInterfaces": 5, "DescribeInstances": 1, "DescribeTaskDefinition": 2, "DescribeContainerInstances": 1,
		}
		if again {
			for name, one := range want {
				if name != "DescribeTaskDefinition" && name != "DescribeContainerInstances" {
					want[name] = 2 * one
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", n+1, diff)
		}
		if p := only(t, s); !again && !p.Unchanged {
			t.Errorf("it changed: %v", p.Err)
		}
	}
}

// Contract §4: whatever is not the whole answer is a failure, never a short list.
func TestNotWhole(t *testing.T) {
	task := `"taskArn":"arn:aws:ecs:us-east-1:111111111111:task/a/`
	body := func(s string) *string { return &s }
	for name, tc := range map[string]struct {
		fault ec2test.Fault
		class amazon.Class
		text  string
	}{
		"page dropped":       {ec2test.Fault{Action: "ListTasks", Page: 2, Drop: true}, amazon.Unavailable, "check the network"},
		"page throttled":     {ec2test.Fault{Action: "ListTasks", Page: 2, Status: 400, Code: "ThrottlingException"}, amazon.Throttled, "raise refresh_interval"},
		"page cut":           {ec2test.Fault{Action: "ListTasks", Page: 2, Cut: 0.7}, amazon.Incomplete, "cut off"},
		"page cut, complete": {ec2test.Fault{Action: "ListTasks", Page: 2, Cut: 0.7, Clean: true}, amazon.Incomplete, "cut off"},
		"page empty":         {ec2test.Fault{Action: "ListTasks", Page: 2, Body: body("")}, amazon.Incomplete, ""},
		"page null":          {ec2test.Fault{Action: "ListTasks", Page: 2, Body: body(`{"taskArns":null}`)}, amazon.Incomplete, "no list of tasks"},
		"circle":             {ec2test.Fault{Action: "ListTasks", Body: body(`{"taskArns":["x"],"nextToken":"t"}`)}, amazon.Incomplete, "round in a circle"},
		"half described":     {ec2test.Fault{Action: "DescribeTasks", Body: body(`{"tasks":[{` + task + `b"}],"failures":[]}`)}, amazon.Incomplete, "lacks task arn:"},
		"half, in silence":   {ec2test.Fault{Action: "DescribeTasks", Cut: 0.5, Clean: true}, amazon.Incomplete, "cut off"},
		"other failure":      {ec2test.Fault{Action: "DescribeTasks", Body: body(`{"tasks":[],"failures":[{"arn":"x","reason":"INTERNAL"}]}`)}, amazon.Incomplete, "could not describe task x: INTERNAL"},
		"denied":             {ec2test.Fault{Action: "DescribeTasks", Status: 400, Code: "AccessDeniedException", Message: "no"}, amazon.Unauthorized, `allow ecs:DescribeTasks on "*"`},
		"definition denied":  {ec2test.Fault{Action: "DescribeTaskDefinition", Status: 400, Code: "AccessDeniedException"}, amazon.Unauthorized, "allow ecs:DescribeTaskDefinition"},
		"EC2 denied":         {ec2test.Fault{Action: "DescribeInstances", Status: 403, Code: "UnauthorizedOperation"}, amazon.Unauthorized, "allow ec2:DescribeInstances"},
		"EC2 forgets":        {ec2test.Fault{Action: "DescribeInstances", Body: body(`<r><reservationSet/></r>`)}, amazon.Incomplete, "does not know instance i-111111111111"},
		"EC2 says nothing":   {ec2test.Fault{Action: "DescribeNetworkInterfaces", Body: body(`<r/>`)}, amazon.Incomplete, "no list of network interfaces"},
		"services denied":    {ec2test.Fault{Action: "DescribeServices", Status: 400, Code: "AccessDeniedException"}, amazon.Unauthorized, "allow ecs:DescribeServices"},
		"services by half":   {ec2test.Fault{Action: "DescribeServices", Body: body(`{"services":[]}`)}, amazon.Incomplete, "lacks service tools"},
		"no clusters":        {ec2test.Fault{Action: "ListClusters", Body: body(`{}`)}, amazon.Incomplete, "no list of clusters"},
		"clusters by half":   {ec2test.Fault{Action: "DescribeClusters", Body: body(`{"clusters":[]}`)}, amazon.Incomplete, "lacks cluster"},
		"machine is missing": {ec2test.Fault{Action: "DescribeContainerInstances", Body: body(`{"containerInstances":[],"failures":[{"arn":"arn:aws:ecs:us-east-1:111111111111:container-instance/a/m","reason":"MISSING"}]}`)}, amazon.Incomplete, "container instance arn:"},
		"wrong key":          {ec2test.Fault{Status: 400, Code: "UnrecognizedClientException"}, amazon.AuthFailure, "check access_key"},
		"deleted meanwhile":  {ec2test.Fault{Action: "ListTasks", Status: 400, Code: "ClusterNotFoundException", Message: "The referenced cluster was inactive."}, amazon.Refused, "check clusters"},
	} {
		c := newCloud(t)
		c.run(ours, "us-east-1", "a")
		c.Run(ec2test.ECS{Account: ours, Region: "us-east-1", Cluster: "a", Tasks: ec2test.Tasks("web", 150)})
		c.Fail(tc.fault)
		p := only(t, c.build(t, nil))
		if len(p.Raw) > 0 || p.Err == nil || amazon.ClassOf(p.Err) != tc.class || !strings.Contains(p.Err.Error(), tc.text) || !strings.HasPrefix(p.Err.Error(), "listing the tasks of us-east-1: ") {
			t.Errorf("%s: %d targets, class %q, error %v", name, len(p.Raw), amazon.ClassOf(p.Err), p.Err)
		}
	}
}

// A task that ended between two calls is gone. One that ECS lists, and says to
// be missing, is not known: the part fails.
func TestMissingTasks(t *testing.T) {
	c := newCloud(t)
	c.run(ours, "us-east-1", "a")
	s := c.build(t, nil)
	arn := func(id string) string { return "arn:aws:ecs:us-east-1:" + ours + ":task/a/" + id }
	first := fmt.Sprintf("%032x", 0)
	ended := `{"taskArns":["` + arn(first) + `","` + arn("ended") + `"]}`
	c.Fail(ec2test.Fault{Action: "ListTasks", Body: &ended, Times: 1})
	if p := good(t, s); len(p.Raw) != 1 || p.Raw[0].Identity != arn(first) {
		t.Errorf("%+v", p)
	}
	c.EditTasks(func(t *ec2test.Task) { t.Missing = true }, first)
	if p := only(t, s); amazon.ClassOf(p.Err) != amazon.Incomplete || !strings.Contains(p.Err.Error(), "lists task "+arn(first)+", but says that it is missing") {
		t.Errorf("%+v", p)
	}
	c.EditTasks(func(t *ec2test.Task) { t.Missing = false }, first)
	if p := good(t, s); len(p.Raw) != 4 {
		t.Errorf("%+v", p)
	}
	both := `{"taskArns":["` + arn(first) + `","` + arn("b") + `"]}`
	c.Stop("b")
	c.Fail(ec2test.Fault{Action: "ListTasks", Body: &both, Times: 1})
	if p := good(t, s); len(p.Raw) != 1 {
		t.Errorf("a task that was listed and then described as stopped: %+v", p)
	}
}

// Clusters that are named stand for themselves, in the regions and accounts
// that they can be in (contract §4).
func TestNamedClusters(t *testing.T) {
	c := newCloud(t)
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		c.run(theirs, region, "a")
	}
	c.run(theirs, "eu-west-1", "b")
	s := c.build(t, func(o *Options) {
		o.Region, o.Regions = "", []string{"us-east-1", "eu-west-1"}
		o.RoleARNs, o.ExternalID = []string{theirRole}, "secret"
		o.Clusters = []string{"a", "arn:aws:ecs:eu-west-1:" + theirs + ":cluster/b", "c"}
	})
	got := map[string]string{}
	for _, p := range s.Discover(t.Context()).Parts {
		got[p.Name] = fmt.Sprint(len(p.Raw), " ", amazon.ClassOf(p.Err))
		if p.Err != nil && !strings.Contains(p.Err.Error(), "there is no cluster c (check clusters") {
			t.Error(p.Err)
		}
	}
	want := map[string]string{}
	for name, v := range map[string]string{"us-east-1/a": "4 ", "eu-west-1/a": "4 ", "eu-west-1/b": "4 ", "us-east-1/c": "0 refused", "eu-west-1/c": "0 refused"} {
		want[theirs+":mcp-sd/"+name] = v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.Run(ec2test.ECS{Account: theirs, Region: "us-east-1", Cluster: "a", Clusters: []ec2test.Cluster{{Status: "INACTIVE"}}})
	for _, p := range s.Discover(t.Context()).Parts {
		if deleted := strings.HasSuffix(p.Name, "us-east-1/a"); deleted && (p.Err == nil || !strings.Contains(p.Err.Error(), "was deleted")) {
			t.Errorf("%+v", p)
		}
	}
}

// In a whole region, a cluster that was deleted is no cluster any more.
func TestDeletedCluster(t *testing.T) {
	c := newCloud(t)
	c.run(ours, "us-east-1", "a")
	c.Run(ec2test.ECS{Account: ours, Region: "us-east-1", Cluster: "old", Clusters: []ec2test.Cluster{{Status: "INACTIVE"}}})
	if p := good(t, c.build(t, nil)); len(p.Raw) != 4 {
		t.Errorf("%+v", p)
	}
}

// A right that is taken away, and keys that expire, over the wire.
func TestRevokedAndExpired(t *testing.T) {
	c := newCloud(t)
	c.run(theirs, "us-east-1", "a")
	s := c.build(t, func(o *Options) { o.RoleARN, o.ExternalID = theirRole, "secret" })
	good(t, s)
	c.Expire()
	if p := good(t, s); !p.Unchanged {
		t.Errorf("after it expired: %+v", p)
	}
	c.Revoke(theirRole)
	if p := only(t, s); amazon.ClassOf(p.Err) != amazon.Unauthorized || strings.Contains(p.Err.Error(), secretKey) || !strings.Contains(p.Err.Error(), theirRole) {
		t.Errorf("revoked: %v", p.Err)
	}
	if p := only(t, s); amazon.ClassOf(p.Err) != amazon.Unauthorized || !strings.Contains(p.Err.Error(), "sts:AssumeRole") {
		t.Errorf("revoked, the next time: %v", p.Err)
	}
	c.AddRole(ec2test.Role{ARN: theirRole})
	good(t, s)
}

// The published example of DescribeTasks (AWS CLI command reference,
// describe-tasks), as it is printed there, becomes this target.
func TestExampleOfTheReference(t *testing.T) {
	sample, err := os.ReadFile("testdata/describe-tasks.json")
	if err != nil {
		t.Fatal(err)
	}
	body := string(sample)
	listed := `{"taskArns":["arn:aws:ecs:us-west-2:123456789012:task/MyCluster/1234567890123456789"]}`
	c := newCloud(t)
	c.Run(ec2test.ECS{
		Account: ours, Region: "us-west-2", Cluster: "MyCluster", Clusters: []ec2test.Cluster{{}},
		Services: []ec2test.Service{{Name: "fargate-service"}},
	})
	c.Fail(ec2test.Fault{Action: "ListTasks", Body: &listed})
	c.Fail(ec2test.Fault{Action: "DescribeTasks", Body: &body})
	p := good(t, c.build(t, func(o *Options) { o.Region, o.DockerLabels = "us-west-2", nil }))
	if len(p.Raw) != 1 {
		t.Fatalf("got %+v", p)
	}
	want := map[string]string{
		"__address__":                         "10.0.0.4:80",
		"__meta_ecs_cluster":                  "MyCluster",
		"__meta_ecs_cluster_arn":              "arn:aws:ecs:us-west-2:" + ours + ":cluster/MyCluster",
		"__meta_ecs_container_arn":            "arn:aws:ecs:us-west-2:123456789012:container/a1b2c3d4-5678-90ab-cdef-11111EXAMPLE",
		"__meta_ecs_container_name":           "fargate-app",
		"__meta_ecs_desired_status":           "RUNNING",
		"__meta_ecs_health_status":            "UNKNOWN",
		"__meta_ecs_ip_address":               "10.0.0.4",
		"__meta_ecs_last_status":              "RUNNING",
		"__meta_ecs_launch_type":              "FARGATE",
		"__meta_ecs_network_mode":             "awsvpc",
		"__meta_ecs_platform_version":         "1.3.0",
		"__meta_ecs_region":                   "us-west-2",
		"__meta_ecs_service":                  "fargate-service",
		"__meta_ecs_service_arn":              "arn:aws:ecs:us-west-2:" + ours + ":service/MyCluster/fargate-service",
		"__meta_ecs_service_status":           "ACTIVE",
		"__meta_ecs_subnet_id":                "subnet-12344321",
		"__meta_ecs_task_arn":                 "arn:aws:ecs:us-west-2:123456789012:task/MyCluster/1234567890123456789",
		"__meta_ecs_task_definition":          "arn:aws:ecs:us-west-2:123456789012:task-definition/sample-fargate:2",
		"__meta_ecs_task_definition_family":   "sample-fargate",
		"__meta_ecs_task_definition_revision": "2",
		"__meta_ecs_task_group":               "service:fargate-service",
		"region":                              "us-west-2",
	}
	if diff := cmp.Diff(want, p.Raw[0].Labels.Map()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a proxy says in ECS' place is not taken for ECS.
func TestProxysPage(t *testing.T) {
	c := newCloud(t)
	page := "<html>Bad Gateway</html>"
	c.Fail(ec2test.Fault{Status: http.StatusBadGateway, Body: &page})
	if p := only(t, c.build(t, nil)); amazon.ClassOf(p.Err) != amazon.Unavailable {
		t.Errorf("class %q of %v", amazon.ClassOf(p.Err), p.Err)
	}
}
