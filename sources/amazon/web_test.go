package amazon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each part is asked again by itself, in the SDK's adaptive way (contract §4): a
// region that throttles slows down no other.
func TestRetriesOfEachPart(t *testing.T) {
	a := DefaultAccess()
	a.Region, a.AccessKey, a.SecretKey = "us-east-1", "a", "b"
	s, err := NewSource(a, target.Env{Source: "s", Logger: slog.New(slog.DiscardHandler)}, "test")
	if err != nil {
		t.Fatal(err)
	}
	retriers := map[any]bool{}
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		l := &connects{}
		if err := s.Add("", region, "nothing", l); err != nil {
			t.Fatal(err)
		}
		p := s.Parts[len(s.Parts)-1]
		if err := p.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, adaptive := p.retries.RetryerV2.(*retry.AdaptiveMode); !adaptive || p.retries.MaxAttempts() != 5 || l.cfg.Region != region {
			t.Errorf("%s: retries with %T, %d times", l.cfg.Region, p.retries.RetryerV2, p.retries.MaxAttempts())
		}
		retriers[l.cfg.Retryer()] = true
	}
	if len(retriers) != 2 {
		t.Error("a region that throttles slows down another one")
	}
}

// connects is a lister that remembers what it was given.
type connects struct{ cfg aws.Config }

func (c *connects) Connect(cfg aws.Config, _ string) { c.cfg = cfg }

func (*connects) List(context.Context) (*Listing, error) { return &Listing{}, nil }

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
	c := ec2test.New()
	srv := httptest.NewServer(c)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	c.Fail(ec2test.Fault{Hang: true})
	w, client, err := newWeb(httpconfig.Copy(DefaultAccess().HTTPClientConfig), "test")
	if err != nil {
		t.Fatal(err)
	}
	end := w.during(t.Context())
	failed := make(chan error)
	go func() {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, srv.URL, http.NoBody)
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
	w, _, err := newWeb(httpconfig.Copy(DefaultAccess().HTTPClientConfig), "test")
	if err != nil {
		t.Fatal(err)
	}
	given := &closing{Reader: strings.NewReader("Action=DescribeInstances")}
	w.AWS = readsLate{given}
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
