package ec2

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/target"
)

// The labels are those that Prometheus' own ec2_sd (v0.315.0) gave the same
// instances, asking the same server (contract §4); testdata/prometheus.txt is
// what it listed.
func TestLabelsAreThoseOfPrometheus(t *testing.T) {
	var fleet []ec2test.Instance
	text, err := os.ReadFile("testdata/fleet.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fleet); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/prometheus.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	c.Launch(fleet...)
	c.SetZones("us-east-1", map[string]string{"us-east-1a": "use1-az6", "us-east-1b": "use1-az1"})
	p := good(t, c.one(t, nil))
	var b strings.Builder
	for _, r := range p.Raw {
		fmt.Fprintf(&b, "# %s\n", r.Identity)
		r.Labels.Range(func(l labels.Label) {
			if strings.HasPrefix(l.Name, "__") { // the standard labels, which Prometheus lacks
				fmt.Fprintf(&b, "%s=%s\n", l.Name, l.Value)
			}
		})
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-Prometheus +mcp-sd):\n%s", diff)
	}
	// Prometheus says nothing of an instance that it leaves out.
	if len(p.Rejected) != 1 || p.Rejected[0].Reason != "no_address" || p.Rejected[0].Address != "i-0aaaaaaaaaaaaaaa6" ||
		p.Rejected[0].Detail != "instance i-0aaaaaaaaaaaaaaa6 (running) has no private_ip" {
		t.Errorf("rejected: %+v", p.Rejected)
	}
}

// The example of the API reference under DescribeInstances, as it is printed
// there, becomes this target.
func TestExampleOfTheReference(t *testing.T) {
	sample, err := os.ReadFile("testdata/reference.xml")
	if err != nil {
		t.Fatal(err)
	}
	body := string(sample)
	c := newCloud(t)
	c.SetZones("eu-west-1", map[string]string{"eu-west-1c": "euw1-az1"})
	c.Fail(ec2test.Fault{Action: "DescribeInstances", Body: &body})
	p := good(t, c.build(t, func(o *Options) { o.Regions = []string{"eu-west-1"} }))
	if len(p.Raw) != 1 || p.Raw[0].Identity != "i-1234567890abcdef0" {
		t.Fatalf("got %+v", p)
	}
	want := map[string]string{
		"__address__":                     "192.168.1.88:80",
		"__meta_ec2_ami":                  "ami-bff32ccc",
		"__meta_ec2_architecture":         "x86_64",
		"__meta_ec2_availability_zone":    "eu-west-1c",
		"__meta_ec2_availability_zone_id": "euw1-az1",
		"__meta_ec2_default_ipv6_address": "2001:db8:1234:1a2b::123",
		"__meta_ec2_instance_id":          "i-1234567890abcdef0",
		"__meta_ec2_instance_state":       "running",
		"__meta_ec2_instance_type":        "t2.micro",
		"__meta_ec2_ipv6_addresses":       ",2001:db8:1234:1a2b::123,",
		"__meta_ec2_owner_id":             "123456789012",
		"__meta_ec2_primary_subnet_id":    "subnet-56f5f633",
		"__meta_ec2_private_dns_name":     "ip-192-168-1-88.eu-west-1.compute.internal",
		"__meta_ec2_private_ip":           "192.168.1.88",
		"__meta_ec2_public_dns_name":      "ec2-54-194-252-215.eu-west-1.compute.amazonaws.com",
		"__meta_ec2_public_ip":            "54.194.252.215",
		"__meta_ec2_region":               "eu-west-1",
		"__meta_ec2_subnet_id":            ",subnet-56f5f633,",
		"__meta_ec2_tag_Name":             "Server_1",
		"__meta_ec2_vpc_id":               "vpc-11112222",
		"region":                          "eu-west-1",
	}
	if diff := cmp.Diff(want, p.Raw[0].Labels.Map()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Contract §4, table of standard labels.
func TestStandardLabels(t *testing.T) {
	for _, tc := range []struct {
		tags map[string]string
		want string // environment, version
	}{
		{nil, " "},
		{map[string]string{"environment": "a", "Environment": "b", "env": "c", "Env": "d", "version": "1", "Version": "2"}, "a 1"},
		{map[string]string{"Environment": "b", "env": "c", "Env": "d", "Version": "2"}, "b 2"},
		{map[string]string{"env": "c", "Env": "d"}, "c "},
		{map[string]string{"Env": "d"}, "d "},
		{map[string]string{"environment": "", "Environment": "b", "version": "", "Version": "2"}, "b 2"},
		{map[string]string{"ENV": "x", "ENVIRONMENT": "x", "VERSION": "x", "environments": "x"}, " "},
	} {
		raws, _ := here(nil).describe(instance(tc.tags))
		l := raws[0].Labels
		if got := l.Get(target.EnvironmentName) + " " + l.Get(target.VersionName); got != tc.want || l.Get(target.RegionName) != "us-east-1" {
			t.Errorf("%v: got %q in region %q, want %q", tc.tags, got, l.Get(target.RegionName), tc.want)
		}
	}
}

// here is a place with the default options.
func here(edit func(*Options)) place {
	o := Default()
	if edit != nil {
		edit(o)
	}
	return place{region: "us-east-1", zones: &zones{}, opts: o}
}

func instance(tags map[string]string) found {
	i := &types.Instance{InstanceId: aws.String("i-1"), PrivateIpAddress: aws.String("10.0.0.1")}
	for k, v := range tags {
		i.Tags = append(i.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	return found{i, ours}
}

// port_tag: one target for each port; what is no port is rejected alone.
func TestPortTag(t *testing.T) {
	for _, tc := range []struct{ tag, want, rejected string }{
		{"8080", "10.0.0.1:8080", ""},
		{"8081,8080", "10.0.0.1:8080 10.0.0.1:8081", ""},
		{" 8080 , 443 ,8080", "10.0.0.1:443 10.0.0.1:8080", ""},
		{"1,65535", "10.0.0.1:1 10.0.0.1:65535", ""},
		{"", "10.0.0.1:3000", ""},
		{"  ", "10.0.0.1:3000", ""},
		{"http", "", `"http"`},
		{"8080,http", "10.0.0.1:8080", `"http"`},
		{"8080,", "10.0.0.1:8080", `""`},
		{"0", "", `"0"`},
		{"65536", "", `"65536"`},
		{"-1", "", `"-1"`},
		{"+80", "", `"+80"`},
		{"80 81", "", `"80 81"`},
		{"80;81,\x1b[31m", "", `"80;81", "\x1b[31m"`},
	} {
		at := here(func(o *Options) { o.Port, o.PortTag = 3000, "ports" })
		raws, rejected := at.describe(instance(map[string]string{"ports": tc.tag, "port": "1"}))
		if got := addresses(target.Part{Raw: raws}); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.tag, got, tc.want)
		}
		switch {
		case tc.rejected == "" && len(rejected) > 0, tc.rejected != "" && len(rejected) != 1:
			t.Errorf("%q: rejected %+v", tc.tag, rejected)
		case tc.rejected != "" && (rejected[0].Reason != "bad_port" || !strings.Contains(rejected[0].Detail, " with "+tc.rejected+":")):
			t.Errorf("%q: rejected %+v, want %s", tc.tag, rejected[0], tc.rejected)
		}
	}
}

// address: each choice, and a rejection where the instance has none such.
func TestAddress(t *testing.T) {
	whole := &types.Instance{
		InstanceId: aws.String("i-1"), VpcId: aws.String("vpc-1"),
		PrivateIpAddress: aws.String("10.0.0.1"), PublicIpAddress: aws.String("198.51.100.1"),
		PrivateDnsName: aws.String("ip-10-0-0-1.ec2.internal"), PublicDnsName: aws.String("ec2-198-51-100-1.compute-1.amazonaws.com"),
		NetworkInterfaces: []types.InstanceNetworkInterface{eni(0, "", "2001:db8::2", "2001:db8::1")},
	}
	v6only := &types.Instance{
		InstanceId: aws.String("i-1"), VpcId: aws.String("vpc-1"), PublicDnsName: aws.String(""),
		NetworkInterfaces: []types.InstanceNetworkInterface{eni(0, "", "2001:db8::1")},
	}
	for _, tc := range []struct {
		address string
		of      *types.Instance
		want    string
	}{
		{"", whole, "10.0.0.1:80"},
		{"private_ip", whole, "10.0.0.1:80"},
		{"public_ip", whole, "198.51.100.1:80"},
		{"private_dns", whole, "ip-10-0-0-1.ec2.internal:80"},
		{"public_dns", whole, "ec2-198-51-100-1.compute-1.amazonaws.com:80"},
		{"ipv6", whole, "[2001:db8::1]:80"},
		{"private_ip", v6only, "[2001:db8::1]:80"}, // as Prometheus
		{"ipv6", v6only, "[2001:db8::1]:80"},
		{"public_ip", v6only, ""},
		{"private_dns", v6only, ""},
		{"public_dns", v6only, ""},
	} {
		raws, rejected := here(func(o *Options) { o.Address = tc.address }).describe(found{tc.of, ours})
		if got := addresses(target.Part{Raw: raws}); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.address, got, tc.want)
		}
		if bad := len(rejected) == 1 && rejected[0].Reason == "no_address" && strings.HasSuffix(rejected[0].Detail, " has no "+tc.address); bad != (tc.want == "") {
			t.Errorf("%s: rejected %+v", tc.address, rejected)
		}
	}
}

// eni is a network interface; primary is one of its addresses.
func eni(device int32, primary string, ips ...string) types.InstanceNetworkInterface {
	n := types.InstanceNetworkInterface{
		NetworkInterfaceId: aws.String(fmt.Sprint("eni-", device)), SubnetId: aws.String(fmt.Sprint("subnet-", device)),
		Attachment: &types.InstanceNetworkInterfaceAttachment{DeviceIndex: &device},
	}
	for _, ip := range ips {
		n.Ipv6Addresses = append(n.Ipv6Addresses, types.InstanceIpv6Address{Ipv6Address: aws.String(ip), IsPrimaryIpv6: aws.Bool(ip == primary)})
	}
	return n
}

// EC2 promises no order of what is in an instance: none decides anything.
func TestOrderDoesNotMatter(t *testing.T) {
	a, b, bare := eni(0, "", "2001:db8::1", "2001:db8::2"), eni(1, "2001:db8::4", "2001:db8::3", "2001:db8::4"), eni(2, "")
	bare.Attachment, bare.SubnetId = nil, nil
	swapped := eni(0, "", "2001:db8::2", "2001:db8::1")
	describe := func(tags []types.Tag, enis ...types.InstanceNetworkInterface) target.Labels {
		raws, _ := here(nil).describe(found{&types.Instance{
			InstanceId: aws.String("i-1"), VpcId: aws.String("vpc-1"), Tags: tags, NetworkInterfaces: enis,
		}, ours})
		return raws[0].Labels
	}
	one, two, three := tag("a.b", "2"), tag("a-b", "1"), tag("a_b", "3")
	want := describe([]types.Tag{one, two, three}, a, b, bare)
	for name, got := range map[string]target.Labels{
		"interfaces": describe([]types.Tag{one, two, three}, bare, b, a),
		"addresses":  describe([]types.Tag{one, two, three}, swapped, b, bare),
		"tags":       describe([]types.Tag{three, two, one}, a, b, bare),
	} {
		if !labels.Equal(want, got) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	// Names that become one by being sanitised: the one that sorts first wins.
	if got := want.Get("__meta_ec2_tag_a_b"); got != "1" {
		t.Errorf("tags that become one: %q", got)
	}
	if got := want.Get("__meta_ec2_primary_ipv6_addresses"); got != ",,2001:db8::4," {
		t.Errorf("primary addresses: %q", got)
	}
	if got := want.Get("__address__"); got != "[2001:db8::4]:80" {
		t.Errorf("address: %q", got)
	}
}

func tag(k, v string) types.Tag { return types.Tag{Key: aws.String(k), Value: aws.String(v)} }
