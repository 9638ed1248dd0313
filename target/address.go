package target

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrDenied is in the chain of every error that AddressPolicy returns.
var ErrDenied = errors.New("address denied")

// AddressPolicy says which IP addresses may be probed and published. It is
// asked for literal addresses before publishing and for resolved ones at dial
// time, so that a name cannot be rebound between two look-ups.
type AddressPolicy struct {
	Allow    []netip.Prefix // health.allow_cidrs: where set, only these
	Loopback bool           // the targets are the operator's own words
}

// Metadata services whose addresses no range below covers.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS over IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	broadcast   = netip.MustParseAddr("255.255.255.255")
)

// Check returns nil where ip may be a target, and otherwise an error that says
// why not and wraps ErrDenied.
func (p AddressPolicy) Check(ip netip.Addr) error {
	ip = plain(ip)
	if why := forbidden(ip); why != "" {
		return fmt.Errorf("%w: %s is %s", ErrDenied, ip, why)
	}
	if len(p.Allow) > 0 {
		if !p.allowed(ip) {
			return fmt.Errorf("%w: %s is in none of health.allow_cidrs", ErrDenied, ip)
		}
		return nil
	}
	if ip.IsLoopback() && !p.Loopback {
		return fmt.Errorf("%w: %s is a loopback address, allowed only from static sources or by health.allow_cidrs", ErrDenied, ip)
	}
	return nil
}

func (p AddressPolicy) allowed(ip netip.Addr) bool {
	for _, a := range p.Allow {
		if a.Contains(ip) {
			return true
		}
	}
	return false
}

// CheckHostPort checks the host of an address where it is a literal IP address
// in any notation that a resolver would take; a host name passes, because only
// its resolution can tell.
func (p AddressPolicy) CheckHostPort(hostport string) error {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return fmt.Errorf("address %q: %w", hostport, err)
	}
	ip, ok := literal(host)
	if !ok {
		return nil
	}
	return p.Check(ip)
}

// plain takes an address out of its wrappings: zone, IPv4-mapped, NAT64.
func plain(ip netip.Addr) netip.Addr {
	ip = ip.WithZone("").Unmap()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip
}

func forbidden(ip netip.Addr) string {
	switch {
	case ip.IsUnspecified(), ip.Is4() && thisNetwork.Contains(ip):
		return "unspecified"
	case ip.IsLinkLocalUnicast():
		return "link-local (the cloud's metadata service lives there)"
	case ip.IsMulticast():
		return "multicast"
	case ip == broadcast:
		return "the broadcast address"
	}
	for _, m := range metadata {
		if ip == m {
			return "a metadata service"
		}
	}
	return ""
}
