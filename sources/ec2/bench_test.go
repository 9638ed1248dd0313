package ec2

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
)

// BenchmarkDiscover lists a region in which nothing changes, over the wire but
// for the network.
func BenchmarkDiscover(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := newCloud(b)
			c.Launch(ec2test.Fleet(ours, "us-east-1", n)...)
			s := c.one(b, nil)
			pages := &recorded{server: c.Server, pages: map[string][]byte{}}
			s.Web.AWS = pages
			s.Limit.SetLimit(rate.Inf)
			good(b, s)
			b.ResetTimer()
			for b.Loop() {
				if p := good(b, s); !p.Unchanged {
					b.Fatal("it changed")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/instance")
		})
	}
}

// recorded answers a question that it has heard before as it did then, so that
// what is measured is not the server.
type recorded struct {
	server http.Handler
	pages  map[string][]byte
}

func (r *recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if _, known := r.pages[string(body)]; !known {
		req.Body, req.Host = io.NopCloser(bytes.NewReader(body)), req.URL.Host
		rec := httptest.NewRecorder()
		r.server.ServeHTTP(rec, req)
		r.pages[string(body)] = rec.Body.Bytes()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(r.pages[string(body)]))}, nil
}
