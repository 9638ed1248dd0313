package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/target"
)

// one is a source of one region.
func (c *cloud) one(tb testing.TB, edit func(*Options)) *Source {
	tb.Helper()
	return c.build(tb, func(o *Options) {
		o.Regions, o.Region = nil, "us-east-1"
		if edit != nil {
			edit(o)
		}
	})
}

// parts lists, and returns the parts by name.
func parts(tb testing.TB, s *Source) map[string]target.Part {
	tb.Helper()
	found := map[string]target.Part{}
	for _, p := range s.Discover(tb.Context()).Parts {
		found[p.Name] = p
	}
	return found
}

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

// addresses are those of a part's targets.
func addresses(p target.Part) string {
	var list []string
	for _, r := range p.Raw {
		list = append(list, r.Labels.Get(target.AddressLabel))
	}
	return strings.Join(list, " ")
}

// 5,000 instances are five pages of 1,000, in order, each once.
func TestPages(t *testing.T) {
	c := newCloud(t)
	c.Launch(ec2test.Fleet(ours, "us-east-1", 5000)...)
	p := good(t, c.one(t, nil))
	var ids []string
	for _, r := range p.Raw {
		ids = append(ids, r.Identity)
	}
	if len(ids) != 5000 || !slices.IsSorted(ids) || len(slices.Compact(ids)) != 5000 {
		t.Errorf("%d targets, sorted and each once: %t", len(p.Raw), slices.IsSorted(ids))
	}
	calls := c.Calls("DescribeInstances")
	for i, call := range calls {
		if call.MaxResults != "1000" || call.Page != i+1 || call.Region != "us-east-1" || call.Account != ours {
			t.Errorf("call %d: %+v", i, call)
		}
	}
	if len(calls) != 5 {
		t.Errorf("%d calls, want 5", len(calls))
	}
}

// A page may be empty and yet not the last: filters are applied after it was
// cut out.
func TestSparsePages(t *testing.T) {
	c := newCloud(t)
	c.SparsePages = true
	fleet := ec2test.Fleet(ours, "us-east-1", 3500)
	fleet[7].Tags["pick"], fleet[3400].Tags["pick"] = "me", "me"
	c.Launch(fleet...)
	p := good(t, c.one(t, func(o *Options) { o.Filters = []Filter{{Name: "tag:pick", Values: []string{"m?"}}} }))
	if len(p.Raw) != 2 || len(c.Calls("DescribeInstances")) != 4 {
		t.Errorf("%d targets after %d calls", len(p.Raw), len(c.Calls("DescribeInstances")))
	}
}

// Contract §4: a page that is lost in the middle is a failure, never a short
// list, and so is whatever else is not the whole answer.
func TestLostPages(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	for i := range 2001 { // with next to nothing in them: they are read often here
		c.Launch(ec2test.Instance{ID: fmt.Sprintf("i-%04d", i), Account: ours, Region: "us-east-1", PrivateIP: fmt.Sprintf("10.0.%d.%d", i/250, i%250)})
	}
	empty, other, nothing := "", "<x><y/></x>", "<DescribeInstancesResponse/>"
	circle := `<DescribeInstancesResponse><reservationSet/><nextToken>again</nextToken></DescribeInstancesResponse>`
	nameless := `<DescribeInstancesResponse><reservationSet><item><instancesSet><item><privateIpAddress>10.0.0.1</privateIpAddress></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`
	s := c.one(t, nil)
	noEnd := strings.TrimSuffix(circle, "</DescribeInstancesResponse>")
	for name, tc := range map[string]struct {
		fault ec2test.Fault
		class amazon.Class
		text  string
	}{
		"dropped":        {ec2test.Fault{Page: 2, Drop: true}, amazon.Unavailable, "check the network"},
		"throttled":      {ec2test.Fault{Page: 2, Status: 503, Code: "RequestLimitExceeded"}, amazon.Throttled, "raise refresh_interval"},
		"cut off":        {ec2test.Fault{Page: 2, Cut: 0.7}, amazon.Incomplete, "cut off"},
		"cut, complete":  {ec2test.Fault{Page: 3, Cut: 0.7, Clean: true}, amazon.Incomplete, "cut off"},
		"last cut":       {ec2test.Fault{Page: 3, Cut: 0.999, Clean: true}, amazon.Incomplete, "cut off"},
		"empty":          {ec2test.Fault{Page: 2, Body: &empty}, amazon.Incomplete, "no list of instances"},
		"another answer": {ec2test.Fault{Page: 2, Body: &other}, amazon.Incomplete, "no list of instances"},
		"no list":        {ec2test.Fault{Page: 2, Body: &nothing}, amazon.Incomplete, "no list of instances"},
		"circle":         {ec2test.Fault{Body: &circle}, amazon.Incomplete, "round in a circle"},
		"no end":         {ec2test.Fault{Page: 2, Body: &noEnd}, amazon.Incomplete, "cut off"},
		"nameless":       {ec2test.Fault{Page: 3, Body: &nameless}, amazon.Incomplete, "no id"},
		"token refused":  {ec2test.Fault{Page: 2, Status: 400, Code: "InvalidNextToken"}, amazon.Incomplete, "from the start"},
		"html":           {ec2test.Fault{Page: 2, Status: 502, Body: &other}, amazon.Unavailable, "something other than AWS"},
	} {
		mend := c.Fail(tc.fault)
		p := only(t, s)
		if len(p.Raw) > 0 || p.Err == nil || amazon.ClassOf(p.Err) != tc.class || !strings.Contains(p.Err.Error(), tc.text) {
			t.Errorf("%s: %d targets, class %q, error %v", name, len(p.Raw), amazon.ClassOf(p.Err), p.Err)
		}
		mend()
	}
	if p := good(t, s); len(p.Raw) != 2001 {
		t.Errorf("%d targets after it was mended", len(p.Raw))
	}
}

// An instance that moved from one page to the next is listed once, as it was
// when it was seen last.
func TestTwiceOnPages(t *testing.T) {
	page := func(ip, next string) *string {
		s := `<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><privateIpAddress>` + ip +
			`</privateIpAddress></item></instancesSet></item></reservationSet>` + next + `</DescribeInstancesResponse>`
		return &s
	}
	c := newCloud(t)
	c.Fail(ec2test.Fault{Times: 1, Body: page("10.0.0.2", "")})
	c.Fail(ec2test.Fault{Times: 1, Body: page("10.0.0.1", "<nextToken>2</nextToken>")})
	if got := addresses(good(t, c.one(t, nil))); got != "10.0.0.2:80" {
		t.Errorf("got %q", got)
	}
}

// One part that fails touches no other, and says so itself.
func TestPartsHaveTheirOwnOutcome(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	c.Launch(few()...)
	s := c.build(t, nil)
	c.Fail(ec2test.Fault{Region: "eu-west-1", Drop: true})
	got := parts(t, s)
	if p := got["us-east-1"]; p.Err != nil || len(p.Raw) != 3 {
		t.Errorf("the region that answers: %d targets, %v", len(p.Raw), p.Err)
	}
	if p := got["eu-west-1"]; p.Err == nil || !strings.Contains(p.Err.Error(), "listing the instances of eu-west-1: ") {
		t.Errorf("the region that doesn't: %v", p.Err)
	}
	c.Mend()
	got = parts(t, s)
	if p := got["us-east-1"]; !p.Unchanged {
		t.Errorf("nothing changed: %+v", p)
	}
	if p := got["eu-west-1"]; p.Err != nil || len(p.Raw) != 1 {
		t.Errorf("back again: %+v", p)
	}
}

// A part that lists what it listed is unchanged, in its rejections too; the
// listing after a failure is whole (documentation of target.Part).
func TestUnchanged(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	c.Launch(few()...)
	c.Launch(ec2test.Instance{ID: "i-none", Account: ours, Region: "us-east-1"})
	s := c.one(t, nil)
	if p := good(t, s); p.Unchanged || len(p.Raw) != 3 || len(p.Rejected) != 1 {
		t.Errorf("first: %+v", p)
	}
	if p := good(t, s); !p.Unchanged || p.Raw != nil || p.Rejected != nil {
		t.Errorf("again: %+v", p)
	}
	c.Update("i-none", func(i *ec2test.Instance) { i.State = "stopped" })
	if p := good(t, s); p.Unchanged || len(p.Raw) != 3 || len(p.Rejected) != 0 {
		t.Errorf("a rejection less: %+v", p)
	}
	mend := c.Fail(ec2test.Fault{Drop: true})
	if only(t, s).Err == nil {
		t.Error("no failure")
	}
	mend()
	if p := good(t, s); p.Unchanged || len(p.Raw) != 3 {
		t.Errorf("after a failure: %+v", p)
	}
}

// Contract §4: what does not run is no target, unless filters name the state.
func TestFilters(t *testing.T) {
	c := newCloud(t)
	for i, state := range []string{"running", "stopped", "pending", "terminated", "shutting-down", "stopping"} {
		c.Launch(ec2test.Instance{
			ID: "i-" + state, Account: ours, Region: "us-east-1", State: state, PrivateIP: fmt.Sprintf("10.0.0.%d", i+1),
			Tags: map[string]string{"mcp": "true", "team": "tools-" + state},
		})
	}
	for _, tc := range []struct {
		filters []Filter
		want    string
	}{
		{nil, "10.0.0.1:80"},
		{[]Filter{{"tag:mcp", []string{"true"}}}, "10.0.0.1:80"},
		{[]Filter{{"tag-key", []string{"none"}}}, ""},
		{[]Filter{{"tag:team", []string{"*-stopped", "tools-pend?ng"}}}, ""},
		{[]Filter{{"instance-state-name", []string{"pending", "running"}}}, "10.0.0.3:80 10.0.0.1:80"},
		{[]Filter{{"instance-state-name", []string{"*"}}, {"tag:team", []string{"*-stopped"}}}, "10.0.0.2:80"},
		{[]Filter{{"instance-state-code", []string{"80"}}}, "10.0.0.2:80"},
	} {
		p := good(t, c.one(t, func(o *Options) { o.Filters = tc.filters }))
		if got := addresses(p); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.filters, got, tc.want)
		}
	}
	p := only(t, c.one(t, func(o *Options) { o.Filters = []Filter{{"no-such", []string{"x"}}} }))
	if amazon.ClassOf(p.Err) != amazon.Refused || !strings.Contains(p.Err.Error(), "The filter 'no-such' is invalid (check filters") {
		t.Errorf("an unknown filter: %v", p.Err)
	}
}

// What is asked ends with the context, in the middle of a page or between
// tries.
func TestCancellation(t *testing.T) {
	for name, fault := range map[string]ec2test.Fault{
		"silent":    {Hang: true},
		"throttled": {Status: 503, Code: "RequestLimitExceeded"},
		"drip":      {Pause: testTimeout},
	} {
		c := newCloud(t)
		c.Launch(few()...)
		c.Fail(fault)
		s := c.build(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		listed := make(chan target.Listing)
		go func() { listed <- s.Discover(ctx) }()
		for len(c.Calls("DescribeInstances")) < 2 {
			select {
			case l := <-listed:
				t.Fatalf("%s: it did not wait: %+v", name, l)
			default:
			}
		}
		cancel()
		for _, p := range (<-listed).Parts {
			if !errors.Is(p.Err, context.Canceled) {
				t.Errorf("%s: part %s: %v", name, p.Name, p.Err)
			}
		}
	}
}
