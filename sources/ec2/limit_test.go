package ec2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
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
	retriers := map[any]bool{}
	for _, p := range s.parts {
		if _, adaptive := p.retries.RetryerV2.(*retry.AdaptiveMode); !adaptive || p.retries.MaxAttempts() != 5 {
			t.Errorf("part %s retries with %T, %d times", p.name, p.retries.RetryerV2, p.retries.MaxAttempts())
		}
		retriers[p.retries] = true
	}
	if len(retriers) != 2 {
		t.Error("a region that throttles slows down another one")
	}
}

// All parts together stay within one limit, retries included.
func TestOneRateLimit(t *testing.T) {
	c := newCloud(t)
	c.Launch(few()...)
	c.SetZones("us-east-1", map[string]string{"us-east-1a": "use1-az1"})
	s := c.build(t, nil)
	l := s.limited.Transport.(limited)
	if l.limiter.Limit() != 20 || l.limiter.Burst() != 20 {
		t.Errorf("%v a second, %d at once", l.limiter.Limit(), l.limiter.Burst())
	}
	l.limiter = rate.NewLimiter(rate.Every(time.Hour), 3)
	s.limited.Transport = l
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	failed := 0
	for _, p := range s.Discover(ctx).Parts {
		if p.Err != nil {
			failed++
			if classOf(p.Err) != TimedOut || !errors.Is(p.Err, context.DeadlineExceeded) {
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
	if classOf(p.Err) != Throttled || !errors.Is(p.Err, context.DeadlineExceeded) ||
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
		if p := got["eu-west-1"]; classOf(p.Err) != TimedOut && classOf(p.Err) != Incomplete || !errors.Is(p.Err, context.DeadlineExceeded) {
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

// One answer is not read without end.
func TestBodyLimit(t *testing.T) {
	b := &body{ReadCloser: io.NopCloser(endless{}), left: 10, release: func() {}}
	n, err := io.Copy(io.Discard, b)
	if n != 10 || err == nil || !strings.Contains(err.Error(), "larger than 512 MiB") {
		t.Errorf("read %d bytes: %v", n, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Requests that outlive the call of Discover they were made for end with it.
func TestRequestsEndWithDiscover(t *testing.T) {
	c := newCloud(t)
	c.Fail(ec2test.Fault{Hang: true})
	w, client, err := newWeb(httpconfig.Copy(Default().HTTPClientConfig))
	if err != nil {
		t.Fatal(err)
	}
	end := w.during(t.Context())
	failed := make(chan error)
	go func() {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, c.url, http.NoBody)
		if err == nil {
			_, err = client.Do(req)
		}
		failed <- err
	}()
	for len(c.Calls("")) == 0 {
		select {
		case err := <-failed:
			t.Fatal(err)
		default:
		}
	}
	end()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The SDK closes a request's body when the answer begins. net/http, which may
// look for more of it then, must not see that: it would close the connection.
func TestRequestsOutliveTheSDK(t *testing.T) {
	w, _, err := newWeb(httpconfig.Copy(Default().HTTPClientConfig))
	if err != nil {
		t.Fatal(err)
	}
	given := &closing{Reader: strings.NewReader("Action=DescribeInstances")}
	w.aws = readsLate{given}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://ec2.example.com", given)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

// closing is a body like the SDK's.
type closing struct {
	*strings.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func (c *closing) Read(p []byte) (int, error) {
	if c.closed {
		return 0, errors.New("closed")
	}
	return c.Reader.Read(p)
}

// readsLate reads what it sends after the SDK has closed it.
type readsLate struct{ given *closing }

func (r readsLate) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = r.given.Close()
	b, err := io.ReadAll(req.Body)
	if err != nil || string(b) != "Action=DescribeInstances" {
		return nil, errors.New("the request was cut off")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}
