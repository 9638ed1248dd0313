package ecs

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
)

// Whatever ECS and EC2 answer, a part is ok or failed: no panic, no target with
// an error, no illegal label (contract §4).
func FuzzAnswer(f *testing.F) {
	sample, err := os.ReadFile("testdata/describe-tasks.json")
	if err != nil {
		f.Fatal(err)
	}
	const bridge = `{"tasks":[{"taskArn":"t","lastStatus":"RUNNING","taskDefinitionArn":"d/a:1","containerInstanceArn":"c","group":"service:s",` +
		`"containers":[{"name":"x","networkBindings":[{"containerPort":80,"hostPort":1},{"containerPortRange":"1-9","hostPortRange":"2-x"},{}]},{}],"tags":[{"key":"a b"},{}]}]}`
	const definition = `{"taskDefinition":{"containerDefinitions":[{"name":"x","dockerLabels":{"PROMETHEUS_EXPORTER_PORT":"80,x,7"}}],"networkMode":"bridge"}}`
	const ec2 = `<r><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><privateIpAddress>a b</privateIpAddress></item></instancesSet></item></reservationSet><networkInterfaceSet/></r>`
	f.Add(string(sample), definition, ec2, 200)
	f.Add(bridge, definition, ec2, 200)
	for _, s := range []string{"", "{", "{}", "[]", `{"tasks":null,"failures":[{}]}`, `{"tasks":[{}]}`, `{"failures":[{"arn":"t","reason":"MISSING"}]}`} {
		f.Add(s, s, s, 200)
	}
	f.Add(`{"__type":"ExpiredTokenException"}`, "", "", 400)
	f.Fuzz(func(t *testing.T, tasks, definition, ec2 string, status int) {
		if status < 200 || status > 599 {
			return
		}
		isolate(t)
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		o := Default()
		o.Region, o.AccessKey, o.SecretKey = "us-east-1", accessKey, secretKey
		s := newSource(t, o)
		s.Web.AWS = answers{tasks, definition, ec2, status}
		l := s.Discover(t.Context())
		if err := sourcetest.CheckListing(l, false); err != nil {
			t.Error(err)
		}
	})
}

// answers gives one answer to each kind of question, without a network. What
// is asked about is named so that the tasks given belong to it.
type answers struct {
	tasks, definition, ec2 string
	status                 int
}

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	body := a.ec2
	switch _, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), "."); action {
	case "ListClusters":
		body = `{"clusterArns":["arn"]}`
	case "DescribeClusters":
		body = `{"clusters":[{"clusterArn":"arn","clusterName":"n","status":"ACTIVE"}]}`
	case "ListTasks":
		body = `{"taskArns":["t"]}`
		if strings.Contains(a.tasks, "MyCluster") {
			body = `{"taskArns":["arn:aws:ecs:us-west-2:123456789012:task/MyCluster/1234567890123456789"]}`
		}
	case "DescribeServices":
		body = `{"services":[],"failures":[{"arn":"a/s","reason":"MISSING"},{"arn":"a/fargate-service","reason":"MISSING"}]}`
	case "DescribeContainerInstances":
		body = `{"containerInstances":[{"containerInstanceArn":"c","ec2InstanceId":"i-1"}]}`
	case "DescribeTaskDefinition":
		body = a.definition
	case "DescribeTasks":
		body = a.tasks
		rec.WriteHeader(a.status)
	}
	rec.WriteString(body)
	return rec.Result(), nil
}
