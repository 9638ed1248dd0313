package ec2

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
)

// What AWS says is told apart over the wire, in the class (for a metric), in
// the error and so in the log, and each says what to do.
func TestFailuresAreToldApart(t *testing.T) {
	longDetail := "You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized. Encoded authorization failure message: " + strings.Repeat("x", 2000)
	for _, tc := range []struct {
		status        int
		code, message string
		class         amazon.Class
		hint          string
	}{
		{503, "RequestLimitExceeded", "Request limit exceeded.", amazon.Throttled, "raise refresh_interval"},
		{400, "Throttling", "Rate exceeded", amazon.Throttled, "raise refresh_interval"},
		{400, "RequestExpired", "Request has expired.", amazon.RequestExpired, "check the clock of this machine"},
		{403, "ExpiredToken", "The security token included in the request is expired", amazon.ExpiredToken, "renew them where they come from"},
		{401, "AuthFailure", "AWS was not able to validate the provided access credentials", amazon.AuthFailure, "check access_key and secret_key"},
		{403, "InvalidClientTokenId", "The security token included in the request is invalid.", amazon.AuthFailure, "check access_key and secret_key"},
		{403, "OptInRequired", "You are not subscribed to this service.", amazon.AuthFailure, "enable the region"},
		{403, "UnauthorizedOperation", longDetail, amazon.Unauthorized, `allow ec2:DescribeInstances on "*" in an IAM policy`},
		{403, "AccessDenied", "x", amazon.Unauthorized, "allow ec2:DescribeInstances"},
		{400, "InvalidParameterValue", "The filter 'x' is invalid", amazon.Refused, "check filters"},
		{500, "InternalError", "An internal error has occurred", amazon.Unavailable, "asked again soon"},
		{503, "Unavailable", "The server is overloaded", amazon.Unavailable, "asked again soon"},
	} {
		c := newCloud(t)
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		c.Fail(ec2test.Fault{Status: tc.status, Code: tc.code, Message: tc.message})
		err := only(t, c.one(t, nil)).Err
		var f *amazon.Failure
		if !errors.As(err, &f) || f.Class != tc.class || f.Reason() != string(tc.class) || f.Code != tc.code {
			t.Errorf("%s: class %q of %v", tc.code, amazon.ClassOf(err), err)
			continue
		}
		text := err.Error()
		if !strings.HasPrefix(text, "listing the instances of us-east-1: "+tc.code+": ") || !strings.Contains(text, tc.hint) || len(text) > 500 {
			t.Errorf("%s: %s", tc.code, text)
		}
		if strings.Contains(text, "Encoded") || strings.Contains(text, "RequestID") {
			t.Errorf("%s: what changes every time, or that nobody can read: %s", tc.code, text)
		}
	}
}

// The network's failures say where to look.
func TestNetworkFailures(t *testing.T) {
	page := "<html>Bad Gateway</html>"
	for name, tc := range map[string]struct {
		edit  func(*Options)
		fault ec2test.Fault
		want  string
	}{
		"nobody listens": {func(o *Options) { o.Endpoint = "http://127.0.0.1:1" }, ec2test.Fault{}, "connection refused (check the network"},
		"no such name":   {func(o *Options) { o.Endpoint = "http://ec2.invalid" }, ec2test.Fault{}, "check the name of the region"},
		"hangs up":       {nil, ec2test.Fault{Drop: true}, "EOF (check the network"},
		"a proxy's page": {nil, ec2test.Fault{Status: http.StatusBadGateway, Body: &page}, "status 502, and not in AWS' words"},
		"broken TLS":     {func(o *Options) { o.Endpoint = strings.Replace(o.Endpoint, "http:", "https:", 1) }, ec2test.Fault{}, "HTTP response to HTTPS client"},
	} {
		c := newCloud(t)
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		if tc.fault != (ec2test.Fault{}) {
			c.Fail(tc.fault)
		}
		err := only(t, c.one(t, tc.edit)).Err
		if amazon.ClassOf(err) != amazon.Unavailable || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: class %q of %v", name, amazon.ClassOf(err), err)
		}
		if strings.Contains(err.Error(), secretKey) {
			t.Errorf("%s: the secret key is in %v", name, err)
		}
	}
}

// Zones' ids: from the instance where EC2 says so, else asked for once. Without
// the permission the label is left out; any other failure fails the part, or
// the label would come and go.
func TestZoneIDs(t *testing.T) {
	const label = "__meta_ec2_availability_zone_id"
	c := newCloud(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	c.SetZones("us-east-1", map[string]string{"us-east-1a": "use1-az6"})
	c.Launch(
		ec2test.Instance{ID: "i-1", Account: ours, Region: "us-east-1", PrivateIP: "10.0.0.1", Zone: "us-east-1a"},
		ec2test.Instance{ID: "i-2", Account: ours, Region: "us-east-1", PrivateIP: "10.0.0.2", Zone: "us-east-1b", ZoneID: "use1-az9"},
	)
	ids := func(s *Source) string {
		list := ""
		for _, r := range good(t, s).Raw {
			list += r.Labels.Get(label) + " "
		}
		return list
	}
	s := c.one(t, nil)
	if got := ids(s); got != "use1-az6 use1-az9 " {
		t.Errorf("got %q", got)
	}
	c.Launch(ec2test.Instance{ID: "i-3", Account: ours, Region: "us-east-1", PrivateIP: "10.0.0.3", Zone: "us-east-1z"})
	if got, n := ids(s), len(c.Calls("DescribeAvailabilityZones")); got != "use1-az6 use1-az9  " || n != 1 {
		t.Errorf("an unknown zone: %q after %d calls", got, n)
	}
	s.parts[0].zones.asked = s.parts[0].zones.asked.Add(-zonesAgain)
	c.SetZones("us-east-1", map[string]string{"us-east-1a": "use1-az6", "us-east-1z": "use1-az5"})
	if got := ids(s); got != "use1-az6 use1-az9 use1-az5 " {
		t.Errorf("a new zone: %q", got)
	}
	page := "<html>no such thing</html>"
	for name, fault := range map[string]ec2test.Fault{
		"unknown": {Status: 400, Code: "InvalidAction"}, "not implemented": {Status: 501, Code: "NotImplemented"}, "a page": {Status: 404, Body: &page},
	} {
		fault.Action = "DescribeAvailabilityZones"
		mend := c.Fail(fault)
		if got := ids(c.one(t, nil)); got != " use1-az9  " {
			t.Errorf("%s: %q", name, got)
		}
		mend()
	}
	c.Fail(ec2test.Fault{Action: "DescribeAvailabilityZones", Status: 403, Code: "UnauthorizedOperation"})
	denied := c.one(t, nil)
	before := len(c.Calls("DescribeAvailabilityZones"))
	if got := ids(denied); got != " use1-az9  " {
		t.Errorf("no permission: %q", got)
	}
	good(t, denied)
	if n := len(c.Calls("DescribeAvailabilityZones")) - before; n != 1 {
		t.Errorf("without the permission it was asked %d times", n)
	}
	broken, nothing := "<x", "<x/>"
	for name, fault := range map[string]ec2test.Fault{
		"dropped": {Drop: true}, "throttled": {Status: 503, Code: "RequestLimitExceeded"}, "broken": {Body: &broken}, "nothing": {Body: &nothing},
		"internal error": {Status: 500, Code: "InternalError"},
	} {
		fault.Action = "DescribeAvailabilityZones"
		mend := c.Fail(fault)
		if p := only(t, c.one(t, nil)); p.Err == nil || !strings.Contains(p.Err.Error(), "vailability zones") {
			t.Errorf("%s: %+v", name, p)
		}
		mend()
	}
}
