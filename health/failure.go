package health

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/mcp-sd/mcp-sd/target"
)

// failure sorts errors of one probe into classes.
type failure struct {
	parent   context.Context // of the caller
	ctx      context.Context // with the probe's timeout
	spec     *Spec
	exchange *exchange
}

func misaddressed(err error) outcome {
	if errors.Is(err, target.ErrDenied) {
		return outcome{class: ClassDenied, detail: err.Error()}
	}
	return outcome{class: ClassUnreachable, detail: err.Error()}
}

// ours is a failure of mcp-sd's own: it says nothing about the endpoint, and
// must not count against it (contract §1).
func ours(why string) outcome { return outcome{class: ClassCanceled, detail: why} }

// request classes what came instead of an answer.
func (f failure) request(err error) outcome {
	err = withoutURL(err)
	if o, ok := f.local(err); ok {
		return o
	}
	var dns *net.DNSError
	switch {
	case errors.Is(err, errRedirect):
		return outcome{class: ClassRedirect, detail: err.Error()}
	case errors.Is(err, target.ErrDenied):
		return outcome{class: ClassDenied, detail: f.via(cause(err))}
	case errors.As(err, &dns):
		return outcome{class: ClassDNS, detail: f.via(f.lookup(dns))}
	case f.late(err):
		return f.outOfTime()
	case isTLS(err):
		return outcome{class: ClassTLS, detail: f.via(cause(err))}
	case errors.Is(err, syscall.ECONNREFUSED):
		return outcome{class: ClassRefused, detail: f.via("connection refused")}
	}
	return f.protocol(err)
}

// local recognises what is no fault of the endpoint.
func (f failure) local(err error) (outcome, bool) {
	switch {
	case f.parent.Err() != nil:
		return ours(""), true
	case !f.exchange.reached && !errors.Is(err, errRedirect):
		return ours("not asked: " + err.Error()), true
	}
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) || strings.Contains(err.Error(), e.Error()) { // the resolver keeps only the text
			f.spec.client.CloseIdleConnections()
			return ours("not asked: " + e.Error() + " on the machine of mcp-sd"), true
		}
	}
	return outcome{}, false
}

// protocol classes answers that are none, or not whole.
func (f failure) protocol(err error) outcome {
	text := err.Error()
	switch {
	case strings.Contains(text, "headers exceeded"), strings.Contains(text, "header list larger"):
		return outcome{class: ClassTooLarge, detail: "response headers larger than 64 KiB"}
	case strings.Contains(text, "malformed"):
		return outcome{class: ClassNotMetrics, detail: "the answer is no HTTP"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return outcome{class: ClassTruncated, detail: "the response headers are cut short"}
	case errors.Is(err, io.EOF), strings.Contains(text, "server closed"):
		return outcome{class: ClassUnreachable, detail: f.via("closed the connection without an answer")}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return outcome{class: ClassUnreachable, detail: f.via("reset the connection without an answer")}
	}
	return outcome{class: ClassUnreachable, detail: f.via(cause(err))}
}

// body classes why a body could not be read to its end.
func (f failure) body(err error) outcome {
	var corrupt flate.CorruptInputError
	switch {
	case f.parent.Err() != nil:
		return ours("")
	case errors.Is(err, errTooLarge):
		return outcome{class: ClassTooLarge, detail: fmt.Sprintf("body larger than body_limit (%s)", f.spec.opts.BodyLimit)}
	case f.late(err):
		return outcome{class: ClassTimeout, detail: fmt.Sprintf("body not complete within %s", f.spec.opts.Timeout)}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return outcome{class: ClassNotMetrics, detail: "the body is no gzip, although its Content-Encoding says so"}
	}
	return outcome{class: ClassTruncated, detail: "the body is cut short"}
}

func (f failure) noMemory() outcome {
	if f.parent.Err() != nil {
		return ours("")
	}
	return ours("not read: too many bodies in flight at once")
}

func (f failure) late(err error) bool {
	var timeout net.Error
	return f.ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout()
}

// outOfTime says what the time was spent on; looking up a name is a class of
// its own.
func (f failure) outOfTime() outcome {
	o := outcome{class: ClassTimeout}
	switch f.exchange.phase.Load() {
	case phaseLookup:
		o.class, o.detail = ClassDNS, "looking up the name took longer than %s"
	case phaseConnect:
		o.detail = "no connection within %s"
	default:
		o.detail = "no answer within %s"
	}
	o.detail = f.via(fmt.Sprintf(o.detail, f.spec.opts.Timeout))
	return o
}

func (f failure) lookup(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return fmt.Sprintf("no such host %q", err.Name)
	case f.late(err):
		return fmt.Sprintf("looking up %q timed out", err.Name)
	}
	return fmt.Sprintf("looking up %q: %s", err.Name, err.Err)
}

// via says where the proxy may be meant.
func (f failure) via(detail string) string {
	if f.exchange.proxied {
		return "through the proxy: " + detail
	}
	return detail
}

func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "tls: ")
}

// cause is an error without the addresses that net.OpError puts in front.
func cause(err error) string {
	var op *net.OpError
	for errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return err.Error()
}
