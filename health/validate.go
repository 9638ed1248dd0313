package health

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

// findings gathers what is wrong, so that all of it is reported at once.
type findings []target.FieldError

func (f *findings) add(field string, err error) {
	if err != nil {
		*f = append(*f, target.FieldError{Field: field, Err: err})
	}
}

// Validate says what is wrong with the options, field by field. Whether the
// files that http_client names can be read is seen by who loads the
// configuration, and by NewSpec.
func (o Options) Validate() []target.FieldError {
	var f findings
	if o.Scheme != "http" && o.Scheme != "https" {
		f.add("scheme", fmt.Errorf("%q is neither http nor https", o.Scheme))
	}
	if !strings.HasPrefix(o.Path, "/") {
		f.add("path", fmt.Errorf("%q does not begin with /: write a path such as /metrics", o.Path))
	}
	o.validateTimes(&f)
	f.add("rise", atLeastOne(o.Rise))
	f.add("fall", atLeastOne(o.Fall))
	f.add("concurrency", atLeastOne(o.Concurrency))
	if o.BodyLimit <= 0 {
		f.add("body_limit", errors.New("must be more than 0B: write a size such as 10MiB"))
	}
	o.validateRequired(&f)
	if o.Admit != AdmitOnSuccess && o.Admit != AdmitAlways {
		f.add("admit", fmt.Errorf("%q is unknown: write %s or %s", o.Admit, AdmitOnSuccess, AdmitAlways))
	}
	for i, s := range o.AllowCIDRs {
		f.add(fmt.Sprintf("allow_cidrs[%d]", i), checkCIDR(s))
	}
	client := o.HTTPClient // Validate writes to what it validates
	f.add("http_client", client.Validate())
	return f
}

func (o Options) validateTimes(f *findings) {
	if o.Interval <= 0 {
		f.add("interval", errors.New("must be longer than 0s: write a duration such as 30s"))
	}
	switch {
	case o.Timeout <= 0:
		f.add("timeout", errors.New("must be longer than 0s: write a duration such as 10s"))
	case o.Interval > 0 && o.Timeout > o.Interval:
		f.add("timeout", fmt.Errorf("%s is longer than interval (%s): a probe must end before the next one begins", o.Timeout, o.Interval))
	}
	for _, d := range []struct {
		field string
		value model.Duration
	}{{"admit_timeout", o.AdmitTimeout}, {"drop_after", o.DropAfter}, {"linger", o.Linger}} {
		if d.value < 0 {
			f.add(d.field, fmt.Errorf("%s is negative: write 0s or longer", time.Duration(d.value)))
		}
	}
}

func (o Options) validateRequired(f *findings) {
	for i, name := range o.RequireMetrics {
		field := fmt.Sprintf("require_metrics[%d]", i)
		switch {
		case !metricName(name):
			f.add(field, fmt.Errorf("%q is no metric name: write a bare name such as mcp_server_sessions, without labels", name))
		case slices.Index(o.RequireMetrics, name) < i:
			f.add(field, fmt.Errorf("%q is there twice", name))
		}
	}
}

// metricName takes UTF-8 names too, as Prometheus 3 does, but none that look
// like a selector or an expression written by mistake.
func metricName(s string) bool {
	odd := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`{}()[]"'=,`, r)
	}
	return model.UTF8Validation.IsValidMetricName(s) && !strings.ContainsFunc(s, odd)
}

func atLeastOne(n int) error {
	if n >= 1 {
		return nil
	}
	return fmt.Errorf("%d is too few: write 1 or more", n)
}

func checkCIDR(s string) error {
	p, err := netip.ParsePrefix(s)
	if err == nil && p.Addr().Is4In6() {
		return fmt.Errorf("%q is an IPv4 range in IPv6 clothes: write it as IPv4, such as 10.0.0.0/8", s)
	}
	if err == nil {
		return nil
	}
	if ip, aerr := netip.ParseAddr(s); aerr == nil {
		return fmt.Errorf("%q is an address, not a range: write %s/%d", s, ip, ip.BitLen())
	}
	return fmt.Errorf("%q is no address range: write one such as 10.0.0.0/8 or 2001:db8::/32", s)
}
