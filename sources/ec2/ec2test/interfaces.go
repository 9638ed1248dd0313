package ec2test

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

type (
	interfacesResponse struct {
		XMLName    xml.Name     `xml:"http://ec2.amazonaws.com/doc/2016-11-15/ DescribeNetworkInterfacesResponse"`
		RequestID  string       `xml:"requestId"`
		Interfaces set[ownItem] `xml:"networkInterfaceSet"`
		NextToken  string       `xml:"nextToken,omitempty"`
	}
	ownItem struct {
		ID          string       `xml:"networkInterfaceId"`
		Subnet      string       `xml:"subnetId"`
		Owner       string       `xml:"ownerId"`
		Status      string       `xml:"status"`
		PrivateIP   string       `xml:"privateIpAddress,omitempty"`
		Association *association `xml:"association"`
	}
	association struct {
		PublicIP string `xml:"publicIp"`
		Owner    string `xml:"ipOwnerId"`
	}
)

// describeInterfaces lists those of the tasks of ECS, a page of them.
func (s *Server) describeInterfaces(q *query) *answer {
	filters := q.filters()
	if tooMany(filters) {
		return q.fail(http.StatusBadRequest, "FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200")
	}
	if len(filters) != 1 || filters[0].name != "network-interface-id" {
		return q.fail(http.StatusBadRequest, "InvalidParameterValue", "The filter is invalid")
	}
	size, err := pageSize(q.form.Get("MaxResults"))
	if err != nil {
		return q.fail(http.StatusBadRequest, "InvalidParameterValue", err.Error())
	}
	var all []ownItem
	for _, t := range s.ecs.tasks {
		if t.ENI == "" || t.Desired == "STOPPED" || !q.owns(t.Place) || !slices.Contains(filters[0].values, t.ENI) || q.token != nil && t.ENI <= q.token.After {
			continue
		}
		item := ownItem{ID: t.ENI, Subnet: t.Subnet, Owner: t.Account, Status: "in-use", PrivateIP: t.PrivateIP}
		if t.PublicIP != "" {
			item.Association = &association{t.PublicIP, "amazon"}
		}
		all = append(all, item)
	}
	slices.SortFunc(all, func(a, b ownItem) int { return strings.Compare(a.ID, b.ID) })
	r := interfacesResponse{RequestID: randomID(16)}
	if size > 0 && len(all) > size {
		all = all[:size]
		page := 2
		if q.token != nil {
			page = q.token.Page + 1
		}
		r.NextToken = pageToken{After: all[size-1].ID, Page: page}.String()
	}
	r.Interfaces.Items = all
	return render(r)
}
