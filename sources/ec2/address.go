package ec2

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// host is how an instance is reached, "" if it can't be in that way.
func (p place) host(i *types.Instance, v6 v6) string {
	switch p.opts.Address {
	case publicIP:
		return value(i.PublicIpAddress)
	case privateDNS:
		return value(i.PrivateDnsName)
	case publicDNS:
		return value(i.PublicDnsName)
	case ipv6:
		return v6.first()
	}
	return cmp.Or(value(i.PrivateIpAddress), v6.first()) // as Prometheus
}

// v6 holds the IPv6 addresses of an instance.
type v6 struct {
	all []string
	// primary has the primary address of each network interface at the place
	// that the interface has as a device; "" where it has none.
	primary []string
}

// maxDevice bounds the gaps in v6.primary: no instance has as many interfaces.
const maxDevice = 1000

// addressesV6 gathers what Prometheus gathers: addresses in subnets of a VPC.
func addressesV6(i *types.Instance) (a v6) {
	if i.VpcId == nil {
		return a
	}
	for _, eni := range interfaces(i) {
		if eni.SubnetId == nil {
			continue
		}
		addresses := slices.Clone(eni.Ipv6Addresses)
		slices.SortFunc(addresses, func(x, y types.InstanceIpv6Address) int {
			return strings.Compare(value(x.Ipv6Address), value(y.Ipv6Address))
		})
		for _, ip := range addresses {
			if ip.Ipv6Address == nil {
				continue
			}
			a.all = append(a.all, *ip.Ipv6Address)
			if ip.IsPrimaryIpv6 != nil && *ip.IsPrimaryIpv6 {
				a.setPrimary(eni.Attachment, *ip.Ipv6Address)
			}
		}
	}
	return a
}

// interfaces of an instance, as devices are numbered. EC2 promises no order,
// and a label that changes with it would change for nothing.
func interfaces(i *types.Instance) []types.InstanceNetworkInterface {
	list := slices.Clone(i.NetworkInterfaces)
	slices.SortFunc(list, func(x, y types.InstanceNetworkInterface) int {
		return cmp.Or(cmp.Compare(device(x), device(y)), strings.Compare(value(x.NetworkInterfaceId), value(y.NetworkInterfaceId)))
	})
	return list
}

func device(eni types.InstanceNetworkInterface) int32 {
	if eni.Attachment == nil || eni.Attachment.DeviceIndex == nil {
		return math.MaxInt32
	}
	return *eni.Attachment.DeviceIndex
}

func (a *v6) setPrimary(at *types.InstanceNetworkInterfaceAttachment, ip string) {
	if at == nil || at.DeviceIndex == nil || *at.DeviceIndex < 0 || *at.DeviceIndex > maxDevice {
		return
	}
	n := int(*at.DeviceIndex)
	for len(a.primary) <= n {
		a.primary = append(a.primary, "")
	}
	a.primary[n] = ip
}

// first is the address to use where one is needed: the first primary one, else
// the first.
func (a v6) first() string {
	for _, ip := range append(a.primary[:len(a.primary):len(a.primary)], a.all...) {
		if ip != "" {
			return ip
		}
	}
	return ""
}
