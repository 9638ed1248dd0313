package ecs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/target"
)

// Validate says everything that is wrong with the options. It looks at no file.
func (o *Options) Validate() []target.FieldError {
	var e amazon.FieldErrors
	o.Access.Validate(&e)
	for i, c := range o.Clusters {
		o.validateCluster(&e, fmt.Sprintf("clusters[%d]", i), c)
		if slices.Index(o.Clusters, c) < i {
			e.Add(fmt.Sprintf("clusters[%d]", i), "%q is there twice", c)
		}
	}
	if o.Port < 0 || o.Port > 65535 {
		e.Add("port", "%d is no port: write a number from 1 to 65535, or 0 to list only containers with a docker label for it", o.Port)
	}
	if o.Port == 0 && len(o.DockerLabels) == 0 {
		e.Add("port", "is 0, and docker_labels has none: nothing could ever be listed; set one of them")
	}
	for i, l := range o.DockerLabels {
		if l.PortLabel == "" {
			e.Add(fmt.Sprintf("docker_labels[%d].port_label", i), "is empty: name the docker label that holds the port, such as PROMETHEUS_EXPORTER_PORT")
		}
	}
	if o.RequestConcurrency < 1 {
		e.Add("request_concurrency", "%d is no number of questions: write 1 or more", o.RequestConcurrency)
	}
	return e
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func (o *Options) validateCluster(e *amazon.FieldErrors, field, cluster string) {
	c, ok := parseCluster(cluster)
	switch {
	case !ok:
		e.Add(field, "%q is no cluster: write its name, or its ARN such as arn:aws:ecs:us-east-1:123456789012:cluster/NAME", cluster)
	case !slices.ContainsFunc(o.AllRegions(), c.mayBeIn):
		e.Add(field, "%q is in %s, which is not listed: add that to regions", cluster, c.region)
	case !slices.ContainsFunc(o.AllRoles(), c.mayBeOf):
		e.Add(field, "%q is in account %s, for which there is no role: add one to role_arns", cluster, c.account)
	}
}

// named is a cluster as it was configured.
type named struct {
	name            string
	region, account string // of its ARN; "" is any
}

func parseCluster(s string) (named, bool) {
	if !strings.HasPrefix(s, "arn:") {
		return named{name: s}, clusterName.MatchString(s)
	}
	a, err := arn.Parse(s)
	name, isCluster := strings.CutPrefix(a.Resource, "cluster/")
	return named{name, a.Region, a.AccountID}, err == nil && a.Service == "ecs" && isCluster && a.Region != "" && clusterName.MatchString(name)
}

// mayBeIn reports whether a cluster can be in a region; "" is one that is not
// known yet.
func (c named) mayBeIn(region string) bool {
	return c.region == "" || region == "" || c.region == region
}

// mayBeOf reports whether a role can see a cluster; "" is no role.
func (c named) mayBeOf(role string) bool {
	a, err := arn.Parse(role)
	return c.account == "" || err != nil || a.AccountID == c.account
}
