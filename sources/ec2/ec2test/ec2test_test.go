package ec2test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The tests here ask by hand and read the answers as text: what the public API
// reference shows stands in them literally, and no parser of ours or of AWS'
// SDK comes between.

const (
	account = "123456789012"
	id      = "AKIAIOSFODNN7EXAMPLE"
	secret  = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

type client struct {
	t                 *testing.T
	url               string
	id, secret, token string
	region, service   string
	at                time.Time
	unsigned          bool
}

func start(t *testing.T) (*Server, *client) {
	t.Helper()
	s := New()
	s.AddKey(id, secret, account)
	srv := httptest.NewServer(s)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return s, &client{t: t, url: srv.URL, id: id, secret: secret, region: "eu-west-1", service: "ec2", at: time.Now()}
}

// ask sends a form, given as it goes over the wire, and returns the answer.
func (c client) ask(form string) (int, string) {
	c.t.Helper()
	resp, body, err := c.send(form)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, body
}

func (c client) send(form string) (*http.Response, string, error) {
	version := ec2Version
	if c.service == "sts" {
		version = stsVersion
	}
	body := []byte(form + "&Version=" + version)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/", bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if !c.unsigned {
		c.sign(req, body)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func (c client) sign(req *http.Request, body []byte) {
	req.Header.Set("X-Amz-Date", c.at.UTC().Format(timeLayout))
	if c.token != "" {
		req.Header.Set("X-Amz-Security-Token", c.token)
	}
	req.Host = strings.TrimPrefix(c.url, "http://")
	s := signature{
		accessKey: c.id, date: c.at.UTC().Format("20060102"), region: c.region, service: c.service,
		headers: []string{"content-type", "host", "x-amz-date"}, at: c.at.UTC(),
	}
	req.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s/%s/%s/%s, SignedHeaders=%s, Signature=%s", algorithm,
		s.accessKey, s.date, s.region, s.service, terminator, strings.Join(s.headers, ";"), s.sum(c.secret, req, body)))
}

// The example of AWS' guide to signing ("Create a signed AWS API request"),
// with its published result.
func TestSignatureOfTheGuide(t *testing.T) {
	req := httptest.NewRequest(http.MethodGet, "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", http.NoBody)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("X-Amz-Date", "20150830T123600Z")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
	s, err := parseSignature(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.sum(secret, req, nil); got != s.value {
		t.Errorf("got %s, the guide has %s", got, s.value)
	}
	if s.region != "us-east-1" || s.service != "iam" || s.accessKey != "AKIDEXAMPLE" {
		t.Errorf("read %+v", s)
	}
}

// elements are the paths of a document's elements that hold text, with it.
func elements(t *testing.T, document string) []string {
	t.Helper()
	var list, path []string
	text := ""
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		switch e := token.(type) {
		case xml.StartElement:
			path, text = append(path, e.Name.Local), ""
			if len(path) == 1 {
				list = append(list, "xmlns "+e.Name.Space)
			}
		case xml.CharData:
			text += string(e)
		case xml.EndElement:
			if v := strings.TrimSpace(text); v != "" {
				list = append(list, strings.Join(path, ">")+" = "+v)
			}
			path, text = path[:len(path)-1], ""
		}
	}
}

// sample is the answer that the API reference shows under DescribeInstances,
// "Examples", without what is played nowhere here (groups, block devices,
// associations, keys).
const sample = `
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
    <reservationSet>
        <item>
            <reservationId>r-1234567890abcdef0</reservationId>
            <ownerId>123456789012</ownerId>
            <groupSet/>
            <instancesSet>
                <item>
                    <instanceId>i-1234567890abcdef0</instanceId>
                    <imageId>ami-bff32ccc</imageId>
                    <instanceState>
                        <code>16</code>
                        <name>running</name>
                    </instanceState>
                    <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
                    <dnsName>ec2-54-194-252-215.eu-west-1.compute.amazonaws.com</dnsName>
                    <reason/>
                    <amiLaunchIndex>0</amiLaunchIndex>
                    <productCodes/>
                    <instanceType>t2.micro</instanceType>
                    <launchTime>2018-05-08T16:46:19.000Z</launchTime>
                    <placement>
                        <availabilityZone>eu-west-1c</availabilityZone>
                        <groupName/>
                        <tenancy>default</tenancy>
                    </placement>
                    <monitoring>
                        <state>disabled</state>
                    </monitoring>
                    <subnetId>subnet-56f5f633</subnetId>
                    <vpcId>vpc-11112222</vpcId>
                    <privateIpAddress>192.168.1.88</privateIpAddress>
                    <ipAddress>54.194.252.215</ipAddress>
                    <sourceDestCheck>true</sourceDestCheck>
                    <architecture>x86_64</architecture>
                    <rootDeviceType>ebs</rootDeviceType>
                    <rootDeviceName>/dev/xvda</rootDeviceName>
                    <virtualizationType>hvm</virtualizationType>
                    <tagSet>
                        <item>
                            <key>Name</key>
                            <value>Server_1</value>
                        </item>
                    </tagSet>
                    <hypervisor>xen</hypervisor>
                    <networkInterfaceSet>
                        <item>
                            <networkInterfaceId>eni-551ba033</networkInterfaceId>
                            <subnetId>subnet-56f5f633</subnetId>
                            <vpcId>vpc-11112222</vpcId>
                            <ownerId>123456789012</ownerId>
                            <status>in-use</status>
                            <privateIpAddress>192.168.1.88</privateIpAddress>
                            <sourceDestCheck>true</sourceDestCheck>
                            <attachment>
                                <attachmentId>eni-attach-551ba033</attachmentId>
                                <deviceIndex>0</deviceIndex>
                                <status>attached</status>
                            </attachment>
                            <ipv6AddressesSet>
                                <item>
                                    <ipv6Address>2001:db8:1234:1a2b::123</ipv6Address>
                                </item>
                            </ipv6AddressesSet>
                        </item>
                    </networkInterfaceSet>
                </item>
            </instancesSet>
        </item>
    </reservationSet>
</DescribeInstancesResponse>`

// ofTheReference is the instance in the sample.
func ofTheReference() Instance {
	return Instance{
		ID: "i-1234567890abcdef0", Account: account, Region: "eu-west-1", AMI: "ami-bff32ccc", Type: "t2.micro", Architecture: "x86_64",
		PrivateDNS: "ip-192-168-1-88.eu-west-1.compute.internal", PublicDNS: "ec2-54-194-252-215.eu-west-1.compute.amazonaws.com",
		PrivateIP: "192.168.1.88", PublicIP: "54.194.252.215", VPC: "vpc-11112222", Subnet: "subnet-56f5f633", Zone: "eu-west-1c",
		Tags:       map[string]string{"Name": "Server_1"},
		Interfaces: []Interface{{ID: "eni-551ba033", Subnet: "subnet-56f5f633", IPv6: []string{"2001:db8:1234:1a2b::123"}}},
	}
}

func TestDescribeInstancesAsInTheReference(t *testing.T) {
	s, c := start(t)
	s.Launch(ofTheReference())
	status, body := c.ask("Action=DescribeInstances")
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	request := func(e string) bool { return strings.Contains(e, "requestId") }
	want, got := slices.DeleteFunc(elements(t, sample), request), slices.DeleteFunc(elements(t, body), request)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-reference +fake):\n%s", diff)
	}
	s.Forget("i-1234567890abcdef0")
	if _, body := c.ask("Action=DescribeInstances"); !strings.Contains(body, "<reservationSet></reservationSet>") {
		t.Errorf("an empty list is an empty element, not none:\n%s", body)
	}
}

// The reference has lifecycles, platforms and the flag of primary IPv6
// addresses only where they apply.
func TestOptionalElements(t *testing.T) {
	s, c := start(t)
	i := ofTheReference()
	i.Platform, i.Lifecycle, i.ZoneID, i.Interfaces[0].Primary = "windows", "spot", "euw1-az3", i.Interfaces[0].IPv6[0]
	s.Launch(i)
	_, body := c.ask("Action=DescribeInstances")
	for _, want := range []string{
		"<platform>windows</platform>", "<instanceLifecycle>spot</instanceLifecycle>",
		"<availabilityZoneId>euw1-az3</availabilityZoneId>", "<isPrimaryIpv6>true</isPrimaryIpv6>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestDescribeAvailabilityZones(t *testing.T) {
	s, c := start(t)
	s.SetZones("eu-west-1", map[string]string{"eu-west-1a": "euw1-az2"})
	_, body := c.ask("Action=DescribeAvailabilityZones")
	const path = "DescribeAvailabilityZonesResponse>availabilityZoneInfo>item>"
	got := elements(t, body)
	for _, want := range []string{
		"xmlns http://ec2.amazonaws.com/doc/2016-11-15/", path + "zoneName = eu-west-1a", path + "zoneId = euw1-az2",
		path + "zoneState = available", path + "regionName = eu-west-1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

// Errors have the shape of the reference, "Error codes for the Amazon EC2 API",
// and those of STS the shape of "Common Errors" there.
func TestErrors(t *testing.T) {
	s, c := start(t)
	defer s.Fail(Fault{Action: "DescribeInstances", Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."})()
	sts := *c
	sts.service = "sts"
	wrong, old, stranger, anonymous := *c, *c, *c, *c
	wrong.secret, stranger.id, anonymous.unsigned = "x", "AKIAX", true
	old.at = time.Now().Add(-16 * time.Minute)
	for _, tc := range []struct {
		name, form string
		c          client
		status     int
		want       []string
	}{
		{"throttled", "Action=DescribeInstances", *c, 503, []string{"Response>Errors>Error>Code = RequestLimitExceeded", "Response>Errors>Error>Message = Request limit exceeded."}},
		{"unknown action", "Action=Foo", *c, 400, []string{"Response>Errors>Error>Code = InvalidAction"}},
		{"wrong secret", "Action=DescribeAvailabilityZones", wrong, 401, []string{"Response>Errors>Error>Code = AuthFailure"}},
		{"unknown key", "Action=DescribeAvailabilityZones", stranger, 401, []string{"Response>Errors>Error>Code = AuthFailure"}},
		{"not signed", "Action=DescribeAvailabilityZones", anonymous, 401, []string{"Response>Errors>Error>Code = AuthFailure"}},
		{"clock is wrong", "Action=DescribeAvailabilityZones", old, 400, []string{"Response>Errors>Error>Code = RequestExpired"}},
		{"no such role", "Action=AssumeRole&RoleSessionName=x&RoleArn=arn:aws:iam::1:role/x", sts, 403, []string{
			"xmlns https://sts.amazonaws.com/doc/2011-06-15/", "ErrorResponse>Error>Code = AccessDenied", "ErrorResponse>Error>Type = Sender",
		}},
	} {
		status, body := tc.c.ask(tc.form)
		if status != tc.status {
			t.Errorf("%s: status %d, want %d", tc.name, status, tc.status)
		}
		got := elements(t, body)
		for _, want := range tc.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tc.name, want, body)
			}
		}
		if !strings.Contains(body, "<RequestID>") && !strings.Contains(body, "<RequestId>") {
			t.Errorf("%s: no request id in\n%s", tc.name, body)
		}
	}
}

// A request that was signed for another region than the host's is refused.
func TestRegionsOfHosts(t *testing.T) {
	s, _ := start(t)
	for host, want := range map[string]int{
		"ec2.eu-west-1.amazonaws.com":      200,
		"ec2-fips.eu-west-1.amazonaws.com": 200,
		"ec2.eu-west-1.api.aws":            200,
		"ec2.us-east-1.amazonaws.com":      401,
		"sts.eu-west-1.amazonaws.com":      401,
		"localhost:4566":                   200,
	} {
		body := []byte("Action=DescribeInstances&Version=2016-11-15")
		req := httptest.NewRequest(http.MethodPost, "http://"+host+"/", bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		client{id: id, secret: secret, region: "eu-west-1", service: "ec2", at: time.Now(), url: "http://" + host}.sign(req, body)
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%s: status %d, want %d: %s", host, rec.Code, want, rec.Body)
		}
	}
}

// Filters are those of DescribeInstances, with "Use wildcards with filters" of
// the user guide.
func TestFilters(t *testing.T) {
	s, c := start(t)
	web := ofTheReference()
	web.ID, web.Tags = "i-web", map[string]string{"Name": "web", "Star*": "a*b", "stage": "Prod"}
	db := ofTheReference()
	db.ID, db.State, db.VPC, db.Tags = "i-db", "stopped", "vpc-2", map[string]string{"Name": "db-1"}
	bare := ofTheReference()
	bare.ID, bare.Tags = "i-bare", nil
	other := ofTheReference()
	other.ID, other.Account = "i-other", "999999999999"
	far := ofTheReference()
	far.ID, far.Region = "i-far", "us-east-1"
	s.Launch(web, db, bare, other, far)
	for _, tc := range []struct{ filters, want string }{
		{"", "bare db web"},
		{"tag:Name=web", "web"},
		{"tag:Name=web,db-1", "db web"},
		{"tag:Name=*", "db web"},
		{"tag:Name=d?-1", "db"},
		{"tag:Name=?", ""},
		{"tag:name=web", ""},
		{"tag:stage=prod", ""},
		{"tag:stage=*od", "web"},
		{"tag:Star*=a\\*b", "web"},
		{"tag:Star*=a\\?b", ""},
		{"tag-key=Name", "db web"},
		{"tag-key=S*", "web"},
		{"instance-state-name=running", "bare web"},
		{"instance-state-name=running,stopped", "bare db web"},
		{"instance-state-code=80", "db"},
		{"vpc-id=vpc-2 instance-state-name=stopped", "db"},
		{"vpc-id=vpc-2 instance-state-name=running", ""},
		{"instance-id=i-db,i-web tag-key=Name", "db web"},
		{"architecture=x86_64 availability-zone=eu-west-1? owner-id=123456789012", "bare db web"},
		{"platform=*", ""},
		{"private-ip-address=192.168.1.*", "bare db web"},
	} {
		status, body := c.ask("Action=DescribeInstances" + form(tc.filters))
		if got := ids(t, body); status != 200 || got != tc.want {
			t.Errorf("%s: status %d, %q, want %q", tc.filters, status, got, tc.want)
		}
	}
	if status, body := c.ask("Action=DescribeInstances" + form("no-such-filter=x")); status != 400 || !strings.Contains(body, "<Code>InvalidParameterValue</Code>") {
		t.Errorf("an unknown filter: %d %s", status, body)
	}
}

// form writes "name=value,value name=value" as the Query protocol does.
func form(filters string) string {
	var b strings.Builder
	for n, f := range strings.Fields(filters) {
		name, values, _ := strings.Cut(f, "=")
		fmt.Fprintf(&b, "&Filter.%d.Name=%s", n+1, url.QueryEscape(name))
		for v, value := range strings.Split(values, ",") {
			fmt.Fprintf(&b, "&Filter.%d.Value.%d=%s", n+1, v+1, url.QueryEscape(value))
		}
	}
	return b.String()
}

func ids(t *testing.T, body string) string {
	t.Helper()
	var list []string
	for _, e := range elements(t, body) {
		if v, ok := strings.CutPrefix(e, "DescribeInstancesResponse>reservationSet>item>instancesSet>item>instanceId = i-"); ok {
			list = append(list, v)
		}
	}
	return strings.Join(list, " ")
}

func token(t *testing.T, body string) string {
	t.Helper()
	for _, e := range elements(t, body) {
		if v, ok := strings.CutPrefix(e, "DescribeInstancesResponse>nextToken = "); ok {
			return "&NextToken=" + url.QueryEscape(v)
		}
	}
	return ""
}

// Pages: MaxResults from 5 to 1000, a token until the last page.
func TestPages(t *testing.T) {
	s, c := start(t)
	s.Launch(Fleet(account, "eu-west-1", 12)...)
	s.Update("i-00000000000000003", func(i *Instance) { i.Tags["x"] = "" })
	read := func(form string) (pages []int) {
		next := ""
		for {
			status, body := c.ask("Action=DescribeInstances&MaxResults=5" + form + next)
			if status != 200 {
				t.Fatal(status, body)
			}
			pages = append(pages, len(strings.Fields(ids(t, body))))
			if next = token(t, body); next == "" {
				return pages
			}
		}
	}
	for _, tc := range []struct {
		filters string
		sparse  bool
		want    []int
	}{{"", false, []int{5, 5, 2}}, {"tag-key=x", false, []int{1}}, {"tag-key=x", true, []int{1, 0, 0}}} {
		s.SparsePages = tc.sparse
		if got := read(form(tc.filters)); !slices.Equal(got, tc.want) {
			t.Errorf("%s, sparse %t: pages of %v, want %v", tc.filters, tc.sparse, got, tc.want)
		}
	}
	_, body := c.ask("Action=DescribeInstances&MaxResults=5")
	for _, bad := range []string{
		"&MaxResults=4", "&MaxResults=1001", "&MaxResults=x",
		"&MaxResults=5&NextToken=x", "&MaxResults=5" + token(t, body) + form("tag-key=x"),
	} {
		if status, body := c.ask("Action=DescribeInstances" + bad); status != 400 {
			t.Errorf("%s: status %d: %s", bad, status, body)
		}
	}
}

// AssumeRole as in the STS reference; its keys are those of the other account.
func TestAssumeRole(t *testing.T) {
	s, c := start(t)
	const role = "arn:aws:iam::222222222222:role/demo"
	s.AddRole(Role{ARN: role, ExternalID: "secret", Trusts: []string{account}})
	s.Launch(Instance{ID: "i-theirs", Account: "222222222222", Region: "eu-west-1"})
	sts := *c
	sts.service = "sts"
	ask := "Action=AssumeRole&RoleSessionName=TestAR&DurationSeconds=900&RoleArn=" + url.QueryEscape(role)
	for _, wrong := range []string{ask, ask + "&ExternalId=wrong", "Action=AssumeRole&ExternalId=secret&RoleArn=" + role} {
		if status, body := sts.ask(wrong); status == 200 {
			t.Errorf("%s: %s", wrong, body)
		}
	}
	_, body := sts.ask(ask + "&ExternalId=secret")
	const path = "AssumeRoleResponse>AssumeRoleResult>"
	values := map[string]string{}
	for _, e := range elements(t, body) {
		k, v, _ := strings.Cut(strings.TrimPrefix(e, path), " = ")
		values[k] = v
	}
	if values["AssumedRoleUser>Arn"] != "arn:aws:sts::222222222222:assumed-role/demo/TestAR" {
		t.Errorf("who it is: %s", body)
	}
	if end, err := time.Parse(time.RFC3339, values["Credentials>Expiration"]); err != nil || time.Until(end).Round(time.Minute) != 15*time.Minute {
		t.Errorf("expiration %q: %v", values["Credentials>Expiration"], err)
	}
	assumed := *c
	assumed.id, assumed.secret, assumed.token = values["Credentials>AccessKeyId"], values["Credentials>SecretAccessKey"], values["Credentials>SessionToken"]
	if _, body := assumed.ask("Action=DescribeInstances"); ids(t, body) != "theirs" {
		t.Errorf("the role sees %s", body)
	}
	stolen := assumed
	stolen.token = "x"
	if status, _ := stolen.ask("Action=DescribeInstances"); status != 401 {
		t.Errorf("a wrong token: status %d", status)
	}
	s.Revoke(role)
	if status, body := assumed.ask("Action=DescribeInstances"); status != 403 || !strings.Contains(body, "UnauthorizedOperation") {
		t.Errorf("a revoked role: %d %s", status, body)
	}
	s.Expire()
	if status, body := assumed.ask("Action=DescribeInstances"); status != 400 || !strings.Contains(body, "RequestExpired") {
		t.Errorf("expired keys: %d %s", status, body)
	}
}

func TestCallerIdentity(t *testing.T) {
	_, c := start(t)
	c.service = "sts"
	_, body := c.ask("Action=GetCallerIdentity")
	if !slices.Contains(elements(t, body), "GetCallerIdentityResponse>GetCallerIdentityResult>Account = "+account) {
		t.Error(body)
	}
}

func TestWebIdentity(t *testing.T) {
	s, c := start(t)
	s.AddRole(Role{ARN: "arn:aws:iam::" + account + ":role/web"})
	s.TrustWebIdentity("good")
	c.service, c.unsigned = "sts", true
	ask := "Action=AssumeRoleWithWebIdentity&RoleSessionName=x&RoleArn=arn:aws:iam::" + account + ":role/web&WebIdentityToken="
	if status, body := c.ask(ask + "good"); status != 200 || !strings.Contains(body, "<AssumeRoleWithWebIdentityResult>") {
		t.Error(status, body)
	}
	if status, body := c.ask(ask + "bad"); status != 400 || !strings.Contains(body, "InvalidIdentityToken") {
		t.Error(status, body)
	}
}

// The metadata service as in the user guide, "Use IMDSv2": nothing without a
// token, which a PUT with its time to live gets.
func TestMetadata(t *testing.T) {
	s, c := start(t)
	s.SetMachine(Machine{InstanceID: "i-1", Account: account, Region: "eu-west-1", Role: "mcp-sd"})
	get := func(method, path string, header ...string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	const document, ttl, tokenName = "/latest/dynamic/instance-identity/document", "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
	_, token := get(http.MethodPut, "/latest/api/token", ttl, "21600")
	for _, tc := range []struct {
		method, path string
		header       []string
		status       int
		want         string
	}{
		{http.MethodGet, document, nil, 401, ""},
		{http.MethodGet, document, []string{tokenName, "wrong"}, 401, ""},
		{http.MethodPut, "/latest/api/token", nil, 400, ""},
		{http.MethodPut, "/latest/api/token", []string{ttl, "21601"}, 400, ""},
		{http.MethodPut, "/latest/api/token", []string{ttl, "60", "X-Forwarded-For", "10.0.0.1"}, 403, ""},
		{http.MethodGet, "/latest/api/token", []string{ttl, "60"}, 405, ""},
		{http.MethodGet, document, []string{tokenName, token}, 200, `"region": "eu-west-1"`},
		{http.MethodGet, "/latest/meta-data/iam/security-credentials/", []string{tokenName, token}, 200, "mcp-sd"},
		{http.MethodGet, "/latest/meta-data/iam/security-credentials/mcp-sd", []string{tokenName, token}, 200, `"Code": "Success"`},
		{http.MethodGet, "/latest/meta-data/iam/security-credentials/other", []string{tokenName, token}, 404, ""},
		{http.MethodGet, "/latest/meta-data/placement/region", []string{tokenName, token}, 200, "eu-west-1"},
	} {
		if status, body := get(tc.method, tc.path, tc.header...); status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s %s %v: %d %q", tc.method, tc.path, tc.header, status, body)
		}
	}
}

func TestFaults(t *testing.T) {
	s, c := start(t)
	s.Launch(ofTheReference())
	const ask = "Action=DescribeInstances"
	raw := "<x/>"
	for _, tc := range []struct {
		name  string
		fault Fault
		sees  func(status int, body string, err error) bool
	}{
		{"drop", Fault{Drop: true}, func(_ int, _ string, err error) bool { return err != nil }},
		{"hang", Fault{Hang: true}, func(_ int, _ string, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"cut", Fault{Cut: 0.5}, func(status int, _ string, err error) bool {
			return status == 0 && errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{"cut and complete", Fault{Cut: 0.5, Clean: true}, func(_ int, body string, err error) bool {
			return err == nil && strings.Contains(body, "<instanceId>") && !strings.Contains(body, "</DescribeInstancesResponse>")
		}},
		{"body", Fault{Body: &raw}, func(status int, body string, _ error) bool { return status == 200 && body == "<x/>" }},
		{"slow", Fault{Pause: time.Millisecond}, func(_ int, body string, _ error) bool {
			return strings.HasSuffix(body, "</DescribeInstancesResponse>")
		}},
		{"elsewhere", Fault{Region: "us-east-1", Drop: true}, func(status int, _ string, _ error) bool { return status == 200 }},
		{"another account", Fault{Account: "1", Drop: true}, func(status int, _ string, _ error) bool { return status == 200 }},
		{"another page", Fault{Page: 2, Drop: true}, func(status int, _ string, _ error) bool { return status == 200 }},
		{"another action", Fault{Action: "AssumeRole", Drop: true}, func(status int, _ string, _ error) bool { return status == 200 }},
	} {
		mend := s.Fail(tc.fault)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if tc.name != "hang" {
			ctx = t.Context()
		}
		status, body, err := c.within(ctx, ask)
		cancel()
		if !tc.sees(status, body, err) {
			t.Errorf("%s: %d %q %v", tc.name, status, body, err)
		}
		mend()
	}
	s.Fail(Fault{Times: 2, Code: "X", Status: 500})
	for i, want := range []int{500, 500, 200} {
		if status, _ := c.ask(ask); status != want {
			t.Errorf("question %d: %d, want %d", i, status, want)
		}
	}
	if n := len(s.Calls("DescribeInstances")); n < 10 {
		t.Errorf("%d calls were noted", n)
	}
}

// within is ask for answers that may not come.
func (c client) within(ctx context.Context, form string) (int, string, error) {
	body := []byte(form + "&Version=" + ec2Version)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	c.sign(req, body)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, string(b), nil
}
