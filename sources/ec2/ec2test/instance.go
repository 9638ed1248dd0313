package ec2test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Instance is one that was launched. What is empty is not in the answers, but
// for ID, Account and Region, which it must have, and for State.
type Instance struct {
	ID, Account, Region       string
	State                     string // "" is running
	Type, AMI, Architecture   string
	Platform, Lifecycle       string // windows; spot
	VPC, Subnet, Zone, ZoneID string
	PrivateIP, PrivateDNS     string
	PublicIP, PublicDNS       string
	Tags                      map[string]string
	Interfaces                []Interface
}

// Interface is a network interface.
type Interface struct {
	ID, Subnet string
	Device     int // index of the attachment
	IPv6       []string
	Primary    string // one of IPv6
}

// Launch adds instances, or replaces those with the same id.
func (s *Server) Launch(list ...Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range list {
		i.State = cmp.Or(i.State, "running")
		s.instances[i.ID] = &i
	}
}

// Update changes an instance in place.
func (s *Server) Update(id string, edit func(*Instance)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.instances[id]
	if !ok {
		panic(fmt.Sprintf("there is no instance %s", id))
	}
	edit(i)
}

// Forget drops instances, as EC2 does an hour after they were terminated.
func (s *Server) Forget(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.instances, id)
	}
}

// SetZones says which availability zones a region has, by name, and their ids.
func (s *Server) SetZones(region string, ids map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones[region] = ids
}

// Fleet makes n plain instances, for what depends on their number.
func Fleet(account, region string, n int) []Instance {
	list := make([]Instance, n)
	for i := range list {
		ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		list[i] = Instance{
			ID: fmt.Sprintf("i-%017x", i), Account: account, Region: region,
			Type: "t3.micro", AMI: "ami-0abcdef1234567890", Architecture: "x86_64",
			VPC: "vpc-1", Subnet: "subnet-1", Zone: region + "a", PrivateIP: ip,
			PrivateDNS: "ip-10-" + strconv.Itoa(i) + "." + region + ".compute.internal",
			Tags:       map[string]string{"Name": "mcp-" + strconv.Itoa(i), "mcp": "true", "environment": "production"},
			Interfaces: []Interface{{ID: fmt.Sprintf("eni-%017x", i), Subnet: "subnet-1"}},
		}
	}
	return list
}

// stateCodes are the low bytes of instance-state-code.
func stateCode(state string) int {
	return map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}[state]
}

// owned are the instances of an account in a region, by id.
func (s *Server) owned(account, region string) []*Instance {
	var list []*Instance
	for _, i := range s.instances {
		if i.Account == account && i.Region == region {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b *Instance) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func itoa[N int | int64](n N) string { return strconv.FormatInt(int64(n), 10) }
