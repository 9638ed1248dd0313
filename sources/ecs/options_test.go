package ecs

import (
	"reflect"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*Options)
		want string // "" is no error
	}{
		"defaults":      {func(*Options) {}, ""},
		"cluster":       {func(o *Options) { o.Clusters = []string{"a b"} }, `clusters[0]: "a b" is no cluster: write its name`},
		"no cluster":    {func(o *Options) { o.Clusters = []string{""} }, `clusters[0]: "" is no cluster`},
		"twice":         {func(o *Options) { o.Clusters = []string{"a", "a"} }, `clusters[1]: "a" is there twice`},
		"ARN":           {func(o *Options) { o.Clusters = []string{"arn:aws:ecs:us-east-1:111111111111:cluster/a"} }, ""},
		"ARN of a task": {func(o *Options) { o.Clusters = []string{"arn:aws:ecs:us-east-1:111111111111:task/a"} }, "is no cluster"},
		"ARN elsewhere": {func(o *Options) {
			o.Region, o.Clusters = "eu-west-1", []string{"arn:aws:ecs:us-east-1:111111111111:cluster/a"}
		}, "is in us-east-1, which is not listed: add that to regions"},
		"another account": {func(o *Options) {
			o.RoleARN, o.Clusters = theirRole, []string{"arn:aws:ecs:us-east-1:111111111111:cluster/a"}
		}, "is in account 111111111111, for which there is no role"},
		"port":        {func(o *Options) { o.Port = 65536 }, "port: 65536 is no port"},
		"nothing":     {func(o *Options) { o.Port, o.DockerLabels = 0, nil }, "nothing could ever be listed"},
		"only labels": {func(o *Options) { o.Port = 0 }, ""},
		"no label":    {func(o *Options) { o.DockerLabels = []DockerLabel{{MetricsPathLabel: "x"}} }, "docker_labels[0].port_label: is empty"},
		"concurrency": {func(o *Options) { o.RequestConcurrency = 0 }, "request_concurrency: 0 is no number"},
		"region":      {func(o *Options) { o.Region = "us-east-1a" }, "is an availability zone"},
		"role":        {func(o *Options) { o.RoleARN = "x" }, `role_arn: "x" is no ARN`},
	} {
		o := Default()
		tc.edit(o)
		var got []string
		for _, e := range o.Validate() {
			got = append(got, e.Error())
		}
		if all := strings.Join(got, "\n"); all == "" != (tc.want == "") || !strings.Contains(all, tc.want) {
			t.Errorf("%s: got %q, want %q", name, all, tc.want)
		}
	}
}

// The fingerprint follows what decides what is listed, and nothing else.
func TestFingerprint(t *testing.T) {
	change := func(edit func(*Options)) string {
		o := Default()
		o.Clusters = []string{"b", "a"}
		edit(o)
		return o.Fingerprint()
	}
	before := change(func(*Options) {})
	for name, edit := range map[string]func(*Options){
		"order":       func(o *Options) { o.Clusters = []string{"a", "b"} },
		"keys":        func(o *Options) { o.AccessKey, o.SecretKey, o.Profile, o.ExternalID = "a", "b", "c", "d" },
		"concurrency": func(o *Options) { o.RequestConcurrency, o.Refresh = 1, 5 },
	} {
		if change(edit) != before {
			t.Errorf("%s: another fingerprint", name)
		}
	}
	for name, edit := range map[string]func(*Options){
		"cluster":  func(o *Options) { o.Clusters = []string{"a"} },
		"region":   func(o *Options) { o.Region = "us-east-1" },
		"role":     func(o *Options) { o.RoleARNs = []string{theirRole} },
		"port":     func(o *Options) { o.Port = 1 },
		"labels":   func(o *Options) { o.DockerLabels = o.DockerLabels[1:] },
		"endpoint": func(o *Options) { o.Endpoint = "x" },
	} {
		if change(edit) == before {
			t.Errorf("%s: the same fingerprint", name)
		}
	}
	if a, b := Default(), Default(); !reflect.DeepEqual(a, b) || &a.DockerLabels[0] == &b.DockerLabels[0] {
		t.Error("defaults are shared, or differ")
	}
}
