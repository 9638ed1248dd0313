package target

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// The rules of contract §7 for what may be published, in one place: relabelling
// applies them to whatever a source says, and configuration is checked by them
// before it is used.

// MaxValueBytes is the longest label value that is published.
const MaxValueBytes = 1024

// Labels that hygiene knows by name, beyond those that discovery uses.
const (
	ScrapeIntervalLabel = "__scrape_interval__"
	ScrapeTimeoutLabel  = "__scrape_timeout__"
	UnixSocketLabel     = "__unix_socket__" // never: it would make Prometheus open a file
	JobName             = "job"
	InstanceName        = "instance"
)

// Temporary reports whether a label is for the use of relabel_configs alone:
// Prometheus promises never to use names beginning with __tmp itself.
func Temporary(name string) bool { return strings.HasPrefix(name, "__tmp") }

// CheckLabelName returns nil for a name that every Prometheus takes:
// [a-zA-Z_][a-zA-Z0-9_]*. One invalid name in a file_sd file would freeze the
// whole file, and versions before 3 know no UTF-8 names.
func CheckLabelName(name string) error {
	if !model.LegacyValidation.IsValidLabelName(name) {
		return fmt.Errorf("%s is no label name: write letters, digits and _, not beginning with a digit", quote(name))
	}
	return nil
}

// SanitizeLabelName makes part of a label name out of a source's own word, as
// Prometheus' strutil.SanitizeLabelName does, without its regular expression.
func SanitizeLabelName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, s)
}

// CheckLabelValue returns nil for a value that may be published: valid UTF-8,
// at most MaxValueBytes, without control characters, and without "%{", which
// vmagent would expand from its environment.
//
// Control characters are those of Unicode's category Cc: C0 (NUL, newline, tab,
// escape), DEL and C1. Format characters (Cf: joiners, a byte order mark, bidi
// overrides) belong to the spelling of words in some languages, and stay;
// who displays a value isolates it.
func CheckLabelValue(v string) error {
	switch {
	case len(v) > MaxValueBytes:
		return fmt.Errorf("value %s is %d bytes long: at most %d are published", quote(v), len(v), MaxValueBytes)
	case !utf8.ValidString(v):
		return fmt.Errorf("value %s is not valid UTF-8", quote(v))
	case strings.ContainsFunc(v, unicode.IsControl):
		return fmt.Errorf("value %s has a control character", quote(v))
	case strings.Contains(v, "%{"):
		return fmt.Errorf(`value %s contains "%%{", which some readers expand from their environment`, quote(v))
	}
	return nil
}

// CheckInternalLabel returns nil for a label beginning with __ that may be
// published with a target, and whose value Prometheus can use: __scheme__,
// __metrics_path__, __param_*, __scrape_interval__ and __scrape_timeout__.
// The value has passed CheckLabelValue.
func CheckInternalLabel(name, value string) error {
	switch {
	case name == SchemeLabel:
		if value != "http" && value != "https" {
			return fmt.Errorf("%s %s: write http or https", name, quote(value))
		}
	case name == MetricsPathLabel:
		if !strings.HasPrefix(value, "/") {
			return fmt.Errorf("%s %s must begin with /", name, quote(value))
		}
	case name == ScrapeIntervalLabel, name == ScrapeTimeoutLabel:
		if _, err := ParseScrapeDuration(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	case strings.HasPrefix(name, ParamPrefix) && name != ParamPrefix:
	default:
		return fmt.Errorf("%w: %s can't be published: only %s, %s, %s*, %s and %s can", ErrReserved,
			quote(name), SchemeLabel, MetricsPathLabel, ParamPrefix, ScrapeIntervalLabel, ScrapeTimeoutLabel)
	}
	return nil
}

// ErrReserved is in the chain of errors about labels that nobody, or not this
// source, may set.
var ErrReserved = errors.New("reserved label")

// CheckOperatorLabel returns nil for a label that an operator may write under
// `labels:` or in a static group: a plain one, one that CheckInternalLabel
// takes, or one that only relabel_configs will see (__meta_*, __tmp_*).
// An empty value means that the label is not set, as in Prometheus.
func CheckOperatorLabel(name, value string) error {
	if err := CheckLabelName(name); err != nil {
		return err
	}
	switch {
	case value == "":
		return nil
	case name == AddressLabel:
		return fmt.Errorf("%w: the address comes from the source or from relabel_configs", ErrReserved)
	case strings.HasPrefix(name, OwnMetaPrefix):
		return fmt.Errorf("%w: labels beginning with %s are mcp-sd's own", ErrReserved, OwnMetaPrefix)
	}
	if err := CheckLabelValue(value); err != nil {
		return err
	}
	if strings.HasPrefix(name, "__") && !strings.HasPrefix(name, MetaPrefix) && !Temporary(name) {
		return CheckInternalLabel(name, value)
	}
	return nil
}

// ParseScrapeDuration reads a __scrape_interval__ or __scrape_timeout__ as
// Prometheus does, which refuses 0.
func ParseScrapeDuration(s string) (time.Duration, error) {
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is no duration: write one such as 30s", quote(s))
	}
	if d == 0 {
		return 0, fmt.Errorf("%s can't be 0", quote(s))
	}
	return time.Duration(d), nil
}

// CheckAddress returns nil for an address that Prometheus can scrape as it
// stands: host:port, where host is a name, an IPv4 address or a bracketed IPv6
// address, and port a number from 1 to 65535. Prometheus adds no default port,
// and its own checks let unbracketed IPv6 and spaces through.
//
// Every error has ErrAddress in its chain.
func CheckAddress(addr string) error {
	if err := checkAddress(addr); err != nil {
		return fmt.Errorf("%w %s: %w", ErrAddress, quote(addr), err)
	}
	return nil
}

// ErrAddress is in the chain of errors about addresses. relabel_configs may yet
// mend them: Prometheus' users give a bare host a port there.
var ErrAddress = errors.New("address")

func checkAddress(addr string) error {
	if strings.ContainsAny(addr, "/ ") {
		return errors.New("a slash or a space: write host:port")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New(splitHint(addr, err))
	}
	if err := checkPort(port); err != nil {
		return err
	}
	if addr[0] == '[' {
		return checkIPv6(host)
	}
	return checkHost(host)
}

// splitHint says what to write instead of an address that has no host and port.
func splitHint(addr string, err error) string {
	if ip, e := netip.ParseAddr(strings.Trim(addr, "[]")); e == nil && ip.Is6() {
		return fmt.Sprintf("no port, write [%s]:PORT", ip)
	}
	var ae *net.AddrError
	if errors.As(err, &ae) {
		if ae.Err == "missing port in address" {
			return "no port: write host:port, Prometheus adds no default"
		}
		return ae.Err + ": write host:port, and IPv6 as [address]:port"
	}
	return err.Error()
}

func checkPort(port string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || len(port) > 5 {
		return fmt.Errorf("port %s is no number from 1 to 65535", quote(port))
	}
	return nil
}

func checkIPv6(host string) error {
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || !ip.Is6():
		return fmt.Errorf("%s is no IPv6 address: only those are written in brackets", quote(host))
	case ip.Zone() != "":
		return fmt.Errorf("zone %s: only link-local addresses have one, and those are never targets", quote(ip.Zone()))
	}
	return nil
}

// checkHost takes what Go's resolver takes as a name, and IPv4 as netip reads
// it. All-numeric names that are no such address (10.1, 0xa000001, 010.0.0.1)
// mean something to the C library alone.
func checkHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return nil
	}
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 {
		return errors.New("the host is empty or longer than 253 bytes")
	}
	numeric := true
	for label := range strings.SplitSeq(name, ".") {
		if err := checkHostLabel(label); err != nil {
			return err
		}
		numeric = numeric && isNumeric(label)
	}
	if numeric {
		return fmt.Errorf("host %s is numeric, but no IPv4 address", quote(host))
	}
	return nil
}

func checkHostLabel(label string) error {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return fmt.Errorf("host name has a part %s: each has 1 to 63 characters and neither begins nor ends with -", quote(label))
	}
	for _, r := range label {
		if !hostRune(r) {
			return fmt.Errorf("host name has %s: write letters, digits, - and _ (international names as xn--…)", quote(string(r)))
		}
	}
	return nil
}

func hostRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

func isNumeric(label string) bool {
	if hex, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// quote quotes for people, and cuts what is too long to read.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
