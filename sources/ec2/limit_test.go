package ec2

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/target"
)

// AWS that throttles is asked again, in the SDK's adaptive way, each part by
// itself (contract §4).
func TestThrottledThenAnswered(t *testing.T) {
	c := newCloud(t)
	c.Launch(few()...)
	c.Fail(ec2test.Fault{Region: "us-east-1", Times: 1, Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."})
	s := c.build(t, nil)
	for name, p := range parts(t, s) {
		if p.Err != nil {
			t.Errorf("%s: %v", name, p.Err)
		}
	}
}

// All parts together stay within one limit, retries included.
func TestOneRateLimit(t *testing.T) {
	c := newCloud(t)
	c.Launch(few()...)
	c.SetZones("us-east-1", map[string]string{"us-east-1a": "use1-az1"})
	s := c.build(t, nil)
	if s.Limit.Limit() != 20 || s.Limit.Burst() != 20 {
		t.Errorf("%v a second, %d at once", s.Limit.Limit(), s.Limit.Burst())
	}
	s.Limit.SetLimit(rate.Every(time.Hour))
	s.Limit.SetBurst(3)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	failed := 0
	for _, p := range s.Discover(ctx).Parts {
		if p.Err != nil {
			failed++
			if amazon.ClassOf(p.Err) != amazon.TimedOut || !errors.Is(p.Err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", p.Name, p.Err)
			}
		}
	}
	if n := len(c.Calls("")); n != 3 || failed == 0 {
		t.Errorf("%d questions arrived and %d parts failed; 3 may pass, 4 are needed", n, failed)
	}
}

// What AWS said last is the reason, when time is over between two tries.
func TestTimeIsOverWhileThrottled(t *testing.T) {
	c := newCloud(t)
	c.Fail(ec2test.Fault{Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	p := c.one(t, nil).Discover(ctx).Parts[0]
	if amazon.ClassOf(p.Err) != amazon.Throttled || !errors.Is(p.Err, context.DeadlineExceeded) ||
		!strings.Contains(p.Err.Error(), "gave up when time was over: listing the instances of us-east-1: RequestLimitExceeded: Request limit exceeded. (") {
		t.Errorf("got %v", p.Err)
	}
}

// A slow region ends with the source's timeout, and holds up nothing longer.
func TestTimeout(t *testing.T) {
	for name, fault := range map[string]ec2test.Fault{
		"silent": {Region: "eu-west-1", Hang: true},
		"drip":   {Region: "eu-west-1", Pause: time.Hour},
	} {
		c := newCloud(t)
		c.Launch(few()...)
		c.Fail(fault)
		o := Default()
		o.Endpoint, o.Regions, o.AccessKey, o.SecretKey = c.url, []string{"us-east-1", "eu-west-1"}, accessKey, secretKey
		src, err := o.New(target.Env{Source: "s", Timeout: 200 * time.Millisecond, Logger: newSource(t, o).parts[0].log})
		if err != nil {
			t.Fatal(err)
		}
		got := parts(t, src.(*Source))
		if p := got["eu-west-1"]; amazon.ClassOf(p.Err) != amazon.TimedOut && amazon.ClassOf(p.Err) != amazon.Incomplete || !errors.Is(p.Err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, p.Err)
		}
		if p := got["us-east-1"]; p.Err != nil || len(p.Raw) != 3 {
			t.Errorf("%s: the other region: %v", name, p.Err)
		}
	}
}

// What one region says is handed over while another is silent (contract §4),
// in the order of the configuration once all is there.
func TestSilentRegionHoldsUpNoOther(t *testing.T) {
	c := newCloud(t)
	c.Launch(few()...)
	c.Fail(ec2test.Fault{Region: "eu-west-1", Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var early []target.Listing
	l := c.build(t, nil).DiscoverEarly(ctx, func(l target.Listing) {
		early = append(early, l)
		cancel()
	})
	if len(early) != 1 || !early[0].Early || len(early[0].Parts) != 1 || early[0].Parts[0].Name != "us-east-1" || early[0].Failed() {
		t.Errorf("early: %+v", early)
	}
	if l.Early || len(l.Parts) != 2 || l.Parts[0].Name != "eu-west-1" || l.Parts[0].Err == nil || l.Parts[1].Err != nil {
		t.Errorf("in the end: %+v", l)
	}
}
