package ec2

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
)

// Whatever EC2 answers, a part is ok or failed: no panic, no target with an
// error, no illegal label (contract §4).
func FuzzAnswer(f *testing.F) {
	sample, err := os.ReadFile("testdata/reference.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		string(sample), "", "<", "<x/>", "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>",
		`<r><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><vpcId>v</vpcId><privateIpAddress>a b</privateIpAddress>` +
			`<placement><availabilityZone>z</availabilityZone></placement><tagSet><item><key>ports</key><value>1,x</value></item><item/></tagSet>` +
			`<networkInterfaceSet><item><subnetId>s</subnetId><attachment><deviceIndex>2147483647</deviceIndex></attachment>` +
			`<ipv6AddressesSet><item><ipv6Address>::1</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item></ipv6AddressesSet></item></networkInterfaceSet>` +
			`</item></instancesSet></item></reservationSet><nextToken>n</nextToken></r>`,
		`<availabilityZoneInfo><item/></availabilityZoneInfo>`,
	} {
		f.Add(s, 200)
	}
	f.Add(`<Response><Errors><Error><Code>RequestExpired</Code></Error></Errors></Response>`, 400)
	f.Add(`<html/>`, 403)
	f.Fuzz(func(t *testing.T, answer string, status int) {
		if status < 200 || status > 599 {
			return
		}
		o := Default()
		o.Region, o.AccessKey, o.SecretKey, o.PortTag = "us-east-1", accessKey, secretKey, "ports"
		isolate(t)
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		s := newSource(t, o)
		s.Web.AWS = answers{answer, status}
		l := s.Discover(t.Context())
		if err := sourcetest.CheckListing(l, false); err != nil {
			t.Error(err)
		}
		for _, r := range l.Parts[0].Raw {
			if r.Identity == "" {
				t.Errorf("a target without an identity: %s", r.Labels)
			}
		}
	})
}

// answers gives one answer to everything, without a network.
type answers struct {
	body   string
	status int
}

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.WriteHeader(a.status)
	rec.WriteString(a.body)
	return rec.Result(), nil
}
