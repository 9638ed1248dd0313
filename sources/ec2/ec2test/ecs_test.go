package ec2test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// askECS sends a question as it goes over the wire.
func (c client) askECS(action, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/", bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+action)
	if !c.unsigned {
		c.sign(req, []byte(body))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		c.t.Fatalf("Content-Type %q: %v", resp.Header.Get("Content-Type"), err)
	}
	return resp.StatusCode, string(b)
}

// What ECS answers, held against the API reference (2014-11-13).
func TestECS(t *testing.T) {
	s, c := start(t)
	ecs := *c
	ecs.service = "ecs"
	s.Run(ECS{
		Account: account, Region: "eu-west-1", Cluster: "a", Clusters: []Cluster{{Tags: map[string]string{"k": "v"}}, {Place: Place{Cluster: "old"}, Status: "INACTIVE"}},
		Services:           []Service{{Name: "web"}},
		TaskDefinitions:    []TaskDefinition{{Family: "web", Revision: 2, NetworkMode: "bridge", Containers: []ContainerDefinition{{Name: "mcp", DockerLabels: map[string]string{"l": "1"}}}}},
		ContainerInstances: []ContainerInstance{{ID: "m", EC2InstanceID: "i-1"}},
		Tasks: append(Tasks("web", 3), Task{
			ID: "z", Family: "web", Revision: 2, ContainerInstance: "m", LaunchType: "EC2",
			Containers: []Container{{Name: "mcp", Bindings: []Binding{{ContainerPort: 80, HostPort: 32768}}}},
		}),
	})
	prefix := "arn:aws:ecs:eu-west-1:" + account + ":"
	for _, q := range []struct {
		action, body string
		status       int
		want         string // in the answer
	}{
		{"ListClusters", `{}`, 200, `{"clusterArns":["` + prefix + `cluster/a","` + prefix + `cluster/old"]}`},
		{"ListClusters", `{"maxResults":1}`, 200, `"nextToken":"`},
		{"ListClusters", `{"maxResults":101}`, 400, `"__type":"InvalidParameterException"`},
		{"DescribeClusters", `{"clusters":["a","b"]}`, 200, `"failures":[{"arn":"` + prefix + `cluster/b","reason":"MISSING"}]`},
		{"DescribeClusters", `{"clusters":["a"],"include":["TAGS"]}`, 200, `"tags":[{"key":"k","value":"v"}]`},
		{"DescribeClusters", `{"clusters":["a"]}`, 200, `"tags":[]`},
		{"ListTasks", `{}`, 400, `{"__type":"ClusterNotFoundException","message":"Cluster not found."}`},
		{"ListTasks", `{"cluster":"old"}`, 400, "The referenced cluster was inactive."},
		{"ListTasks", `{"cluster":"a","desiredStatus":"STOPPED"}`, 200, `{"taskArns":[]}`},
		{"DescribeTasks", `{"cluster":"a","tasks":["z"]}`, 200, `"networkBindings":[{"bindIP":"0.0.0.0","containerPort":80,"hostPort":32768,"protocol":"tcp"}]`},
		{"DescribeTasks", `{"cluster":"a","tasks":["00000000000000000000000000000001"]}`, 200, `{"name":"privateIPv4Address","value":"10.0.0.1"}`},
		{"DescribeTasks", `{"cluster":"a","tasks":[]}`, 400, "InvalidParameterException"},
		{"DescribeServices", `{"cluster":"a","services":["web","x"]}`, 200, `"failures":[{"arn":"` + prefix + `service/a/x","reason":"MISSING"}]`},
		{"DescribeContainerInstances", `{"cluster":"a","containerInstances":["m"]}`, 200, `"ec2InstanceId":"i-1"`},
		{"DescribeTaskDefinition", `{"taskDefinition":"web:2"}`, 200, `"dockerLabels":{"l":"1"}`},
		{"DescribeTaskDefinition", `{"taskDefinition":"web:9"}`, 400, `"ClientException"`},
		{"DeleteCluster", `{"cluster":"a"}`, 400, "UnknownOperationException"},
		{"ListTasks", `{`, 400, "SerializationException"},
	} {
		if status, got := ecs.askECS(q.action, q.body); status != q.status || !strings.Contains(got, q.want) {
			t.Errorf("%s %s: %d %s\nwant %d with %s", q.action, q.body, status, got, q.status, q.want)
		}
	}
	wrong := ecs
	wrong.secret = "wrong"
	if status, got := wrong.askECS("ListClusters", "{}"); status != 400 || !strings.Contains(got, "UnrecognizedClientException") {
		t.Errorf("a wrong key: %d %s", status, got)
	}
}

// Pages belong together, and have all there is in them.
func TestECSPages(t *testing.T) {
	s, c := start(t)
	c.service = "ecs"
	s.Run(ECS{Account: account, Region: "eu-west-1", Cluster: "a", Clusters: []Cluster{{}}, Tasks: Tasks("web", 250)})
	s.Stop("00000000000000000000000000000000")
	seen, token, pages := map[string]bool{}, "", 0
	for {
		pages++
		_, body := c.askECS("ListTasks", `{"cluster":"a","nextToken":"`+token+`"}`)
		var page struct {
			TaskArns  []string
			NextToken string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, arn := range page.TaskArns {
			seen[arn] = true
		}
		if token = page.NextToken; token == "" {
			break
		}
	}
	if len(seen) != 249 || pages != 3 {
		t.Errorf("%d tasks on %d pages", len(seen), pages)
	}
	if status, _ := c.askECS("ListTasks", `{"cluster":"a","nextToken":"x"}`); status != 400 {
		t.Errorf("a token of nobody: %d", status)
	}
	if calls := s.Calls("ListTasks"); calls[1].Page != 2 || calls[1].Account != account {
		t.Errorf("calls: %+v", calls)
	}
}
