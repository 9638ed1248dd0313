package target

import (
	"net/netip"
	"strconv"
	"strings"
)

// literal reads a host as an IP address in any notation that the C library's
// inet_aton takes as well: 169.254.169.254 is also 2852039166, 0xa9fea9fe,
// 0251.0376.0251.0376 and 169.254.43518. Prometheus resolves through Go or
// through the C library, depending on how it was built, so all of them count.
func literal(host string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, true
	}
	fields := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(fields) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, f := range fields {
		n, ok := number(f)
		last := i == len(fields)-1
		switch {
		case !ok, !last && n > 255, last && n >= 1<<(8*uint(4-i)):
			return netip.Addr{}, false
		case last:
			v |= n
		default:
			v |= n << (8 * uint(3-i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// number reads one field: decimal, octal with a leading 0, hexadecimal with 0x.
func number(f string) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(f, "0x"), strings.HasPrefix(f, "0X"):
		base, f = 16, f[2:]
	case len(f) > 1 && f[0] == '0':
		base, f = 8, f[1:]
	}
	n, err := strconv.ParseUint(f, base, 32)
	return n, err == nil
}
