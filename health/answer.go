package health

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

type format int

const (
	formatText format = iota
	formatOpenMetrics
	formatProto
)

// kind is what an answer's headers say about its body.
type kind struct {
	format format
	known  bool   // a Content-Type that Prometheus recognises: no sample is needed to be up
	stream bool   // never ends
	gzip   bool   // the only encoding asked for
	name   string // media type, for people
	coding string // an encoding that was not asked for
}

// kinds remembers the last Content-Type that it was asked about, because a
// fleet hardly has two. It may be used by many at once.
type kinds struct{ last atomic.Pointer[typed] }

type typed struct {
	contentType string
	kind        kind
}

func (k *kinds) of(h http.Header) kind {
	contentType := h.Get("Content-Type")
	last := k.last.Load()
	if last == nil || last.contentType != contentType {
		last = &typed{contentType, kindOf(contentType)}
		k.last.Store(last)
	}
	return last.kind.encoded(h.Get("Content-Encoding"))
}

func kindOf(contentType string) kind {
	if contentType == "" {
		return kind{name: "no Content-Type"}
	}
	mediaType, params, err := mime.ParseMediaType(contentType)
	k := kind{name: mediaType}
	if err != nil {
		k.name = "a broken Content-Type"
	}
	k.recognise(mediaType, params)
	return k
}

func (k kind) encoded(coding string) kind {
	switch coding {
	case "", "identity":
	case "gzip":
		k.gzip = true
	default:
		k.coding = coding
	}
	return k
}

// recognise knows the types of Prometheus' textparse.New.
func (k *kind) recognise(mediaType string, params map[string]string) {
	switch mediaType {
	case "text/plain":
		k.known = true
	case "application/openmetrics-text":
		k.known, k.format = true, formatOpenMetrics
	case "application/vnd.google.protobuf":
		proto, encoding := params["proto"], params["encoding"]
		if (proto == "" || proto == "io.prometheus.client.MetricFamily") && (encoding == "" || encoding == "delimited") {
			k.known, k.format = true, formatProto
		}
	case "text/event-stream":
		k.stream = true
	}
}

// notMetrics never quotes the body: it may quote our own credentials.
func (k kind) notMetrics() string {
	switch {
	case k.coding != "":
		return fmt.Sprintf("%s in an encoding that was not asked for (%s)", k.name, k.coding)
	case !k.known:
		return k.name + "; the body is no metrics page"
	}
	return k.name + "; but the body does not begin with a sample"
}

// answered judges an answer other than 200; beginning is that of its body.
func answered(resp *http.Response, address string, beginning []byte) outcome {
	code := resp.StatusCode
	o := outcome{detail: strings.TrimSpace(fmt.Sprintf("status %d %s", code, http.StatusText(code)))}
	switch {
	case code == http.StatusUnauthorized:
		o.class = ClassUnauthorized
	case code == http.StatusForbidden:
		o.class = ClassUnauthorized
		if aboutHost(beginning) {
			o.detail += hostHint(address)
		}
	case code == http.StatusMisdirectedRequest:
		o.class = ClassMisdirected
		o.detail += hostHint(address)
	case code >= 500:
		o.class = ClassHTTP5xx
	case code >= 400:
		o.class = ClassHTTP4xx
	case code >= 300:
		o.class = ClassRedirect
		o.detail += notFollowed(resp)
	default:
		o.class = ClassNotMetrics
		o.detail += ", where Prometheus wants 200"
	}
	return o
}

func notFollowed(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return ", without a place to go"
	}
	where := shown(to)
	if resp.Request != nil && origin(to) == origin(resp.Request.URL) {
		where = (&url.URL{Path: to.Path}).String()
	}
	return " to " + where + ", and http_client.follow_redirects is false"
}

// aboutHost tells the 403 of an MCP SDK's DNS-rebinding protection ("invalid
// Host header") from that of an access control (FACTS "Probing safely").
func aboutHost(body []byte) bool {
	body = bytes.ToLower(body)
	for _, s := range []string{"invalid host", "unknown host", "host header", "host not allowed", "disallowed host"} {
		if bytes.Contains(body, []byte(s)) {
			return true
		}
	}
	return false
}

func hostHint(address string) string {
	return fmt.Sprintf(": the server lives but refuses the Host %q; add it to the allowed hosts of its DNS-rebinding protection", address)
}
