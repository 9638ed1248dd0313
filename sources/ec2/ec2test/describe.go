package ec2test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The elements of the API reference, in its order. omitempty stands where EC2
// leaves an element out.
type (
	instancesResponse struct {
		XMLName      xml.Name         `xml:"http://ec2.amazonaws.com/doc/2016-11-15/ DescribeInstancesResponse"`
		RequestID    string           `xml:"requestId"`
		Reservations set[reservation] `xml:"reservationSet"`
		NextToken    string           `xml:"nextToken,omitempty"`
	}
	// set is an element that is there even when nothing is in it.
	set[T any] struct {
		Items []T `xml:"item"`
	}
	reservation struct {
		ReservationID string            `xml:"reservationId"`
		OwnerID       string            `xml:"ownerId"`
		Groups        struct{}          `xml:"groupSet"`
		Instances     set[instanceItem] `xml:"instancesSet"`
	}
	instanceItem struct {
		InstanceID     string             `xml:"instanceId"`
		ImageID        string             `xml:"imageId,omitempty"`
		State          stateItem          `xml:"instanceState"`
		PrivateDNS     string             `xml:"privateDnsName"`
		DNS            string             `xml:"dnsName"`
		Reason         string             `xml:"reason"`
		LaunchIndex    int                `xml:"amiLaunchIndex"`
		ProductCodes   struct{}           `xml:"productCodes"`
		Type           string             `xml:"instanceType,omitempty"`
		LaunchTime     string             `xml:"launchTime"`
		Placement      *placement         `xml:"placement"`
		Platform       string             `xml:"platform,omitempty"`
		Monitoring     string             `xml:"monitoring>state"`
		SubnetID       string             `xml:"subnetId,omitempty"`
		VPCID          string             `xml:"vpcId,omitempty"`
		PrivateIP      string             `xml:"privateIpAddress,omitempty"`
		IP             string             `xml:"ipAddress,omitempty"`
		SourceDest     bool               `xml:"sourceDestCheck"`
		Architecture   string             `xml:"architecture,omitempty"`
		RootDeviceType string             `xml:"rootDeviceType"`
		RootDeviceName string             `xml:"rootDeviceName"`
		Virtualization string             `xml:"virtualizationType"`
		Lifecycle      string             `xml:"instanceLifecycle,omitempty"`
		Tags           *set[tagItem]      `xml:"tagSet"`
		Hypervisor     string             `xml:"hypervisor"`
		Interfaces     set[interfaceItem] `xml:"networkInterfaceSet"`
	}
	stateItem struct {
		Code int    `xml:"code"`
		Name string `xml:"name"`
	}
	placement struct {
		Zone    string `xml:"availabilityZone"`
		ZoneID  string `xml:"availabilityZoneId,omitempty"`
		Group   string `xml:"groupName"`
		Tenancy string `xml:"tenancy"`
	}
	tagItem struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	}
	interfaceItem struct {
		ID         string        `xml:"networkInterfaceId"`
		SubnetID   string        `xml:"subnetId,omitempty"`
		VPCID      string        `xml:"vpcId,omitempty"`
		OwnerID    string        `xml:"ownerId"`
		Status     string        `xml:"status"`
		PrivateIP  string        `xml:"privateIpAddress,omitempty"`
		SourceDest bool          `xml:"sourceDestCheck"`
		Attachment attachment    `xml:"attachment"`
		IPv6       set[ipv6Item] `xml:"ipv6AddressesSet"`
	}
	attachment struct {
		ID     string `xml:"attachmentId"`
		Device int    `xml:"deviceIndex"`
		Status string `xml:"status"`
	}
	ipv6Item struct {
		Address string `xml:"ipv6Address"`
		Primary *bool  `xml:"isPrimaryIpv6"`
	}
)

// pageToken says where the next page begins. Nobody but the server reads it.
type pageToken struct {
	After   string
	Page    int
	Filters string
}

func (t pageToken) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and a number
	}
	return base64.StdEncoding.EncodeToString(b)
}

func readToken(s string) *pageToken {
	if s == "" {
		return nil
	}
	t := &pageToken{}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, t) != nil {
		return &pageToken{}
	}
	return t
}

// describeInstances lists one page.
func (s *Server) describeInstances(q *query) *answer {
	filters := q.filters()
	if tooMany(filters) {
		return q.fail(http.StatusBadRequest, "FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200")
	}
	for _, f := range filters {
		if !f.knows() {
			return q.fail(http.StatusBadRequest, "InvalidParameterValue", "The filter '"+f.name+"' is invalid")
		}
	}
	size, err := pageSize(q.form.Get("MaxResults"))
	if err != nil {
		return q.fail(http.StatusBadRequest, "InvalidParameterValue", err.Error())
	}
	page, after := 1, ""
	if q.token != nil {
		if q.token.Page < 2 || q.token.Filters != fmt.Sprint(filters) {
			return q.fail(http.StatusBadRequest, "InvalidNextToken", "The specified token is invalid.")
		}
		page, after = q.token.Page, q.token.After
	}
	list, more := s.cut(q, filters, after, size)
	r := instancesResponse{RequestID: randomID(16)}
	if more != "" {
		r.NextToken = pageToken{After: more, Page: page + 1, Filters: fmt.Sprint(filters)}.String()
	}
	for _, i := range list {
		r.Reservations.Items = append(r.Reservations.Items, i.reservation())
	}
	return render(r)
}

// pageSize reads MaxResults: between 5 and 1000, and all without it.
func pageSize(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 5 || n > 1000 {
		return 0, fmt.Errorf("value ( %s ) for parameter maxResults is invalid. Expecting a value greater than or equal to 5 and less than or equal to 1000", s)
	}
	return n, nil
}

// cut returns the page that begins after an id, and the last id on it where
// there is more.
func (s *Server) cut(q *query, filters []filter, after string, size int) (page []*Instance, more string) {
	all := s.owned(q.key.account, q.region)
	passes := func(i *Instance) bool {
		return !slices.ContainsFunc(filters, func(f filter) bool { return !f.matches(i) })
	}
	if !s.SparsePages {
		all = slices.DeleteFunc(all, func(i *Instance) bool { return !passes(i) })
	}
	all = slices.DeleteFunc(all, func(i *Instance) bool { return i.ID <= after })
	if size > 0 && len(all) > size {
		all = all[:size]
		more = all[size-1].ID
	}
	return slices.DeleteFunc(all, func(i *Instance) bool { return !passes(i) }), more
}

func (i *Instance) reservation() reservation {
	return reservation{
		ReservationID: "r-" + strings.TrimPrefix(i.ID, "i-"), OwnerID: i.Account, Instances: set[instanceItem]{[]instanceItem{i.item()}},
	}
}

func (i *Instance) item() instanceItem {
	item := instanceItem{
		InstanceID: i.ID, ImageID: i.AMI, State: stateItem{stateCode(i.State), i.State},
		PrivateDNS: i.PrivateDNS, DNS: i.PublicDNS, Type: i.Type, LaunchTime: "2018-05-08T16:46:19.000Z",
		Platform: i.Platform, Monitoring: "disabled", SubnetID: i.Subnet, VPCID: i.VPC,
		PrivateIP: i.PrivateIP, IP: i.PublicIP, SourceDest: true, Architecture: i.Architecture,
		RootDeviceType: "ebs", RootDeviceName: "/dev/xvda", Virtualization: "hvm", Lifecycle: i.Lifecycle, Hypervisor: "xen",
	}
	if i.Zone != "" {
		item.Placement = &placement{Zone: i.Zone, ZoneID: i.ZoneID, Tenancy: "default"}
	}
	if len(i.Tags) > 0 {
		item.Tags = &set[tagItem]{}
	}
	for _, k := range slices.Sorted(maps.Keys(i.Tags)) {
		item.Tags.Items = append(item.Tags.Items, tagItem{k, i.Tags[k]})
	}
	for _, n := range i.Interfaces {
		item.Interfaces.Items = append(item.Interfaces.Items, n.item(i))
	}
	return item
}

func (n Interface) item(i *Instance) interfaceItem {
	item := interfaceItem{
		ID: n.ID, SubnetID: n.Subnet, VPCID: i.VPC, OwnerID: i.Account, Status: "in-use", SourceDest: true,
		Attachment: attachment{ID: "eni-attach-" + strings.TrimPrefix(n.ID, "eni-"), Device: n.Device, Status: "attached"},
	}
	if n.Device == 0 {
		item.PrivateIP = i.PrivateIP
	}
	for _, ip := range n.IPv6 {
		v := ipv6Item{Address: ip}
		if n.Primary != "" { // the flag exists once a primary address was enabled
			primary := ip == n.Primary
			v.Primary = &primary
		}
		item.IPv6.Items = append(item.IPv6.Items, v)
	}
	return item
}
