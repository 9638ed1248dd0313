package ec2test

import (
	"encoding/xml"
	"maps"
	"slices"
)

type (
	zonesResponse struct {
		XMLName   xml.Name      `xml:"http://ec2.amazonaws.com/doc/2016-11-15/ DescribeAvailabilityZonesResponse"`
		RequestID string        `xml:"requestId"`
		Zones     set[zoneItem] `xml:"availabilityZoneInfo"`
	}
	zoneItem struct {
		OptIn    string   `xml:"optInStatus"`
		Messages struct{} `xml:"messageSet"`
		Region   string   `xml:"regionName"`
		Name     string   `xml:"zoneName"`
		ID       string   `xml:"zoneId"`
		Group    string   `xml:"groupName"`
		Type     string   `xml:"zoneType"`
		State    string   `xml:"zoneState"`
	}
)

func (s *Server) describeZones(q *query) *answer {
	r := zonesResponse{RequestID: randomID(16)}
	ids := s.zones[q.region]
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		r.Zones.Items = append(r.Zones.Items, zoneItem{
			OptIn: "opt-in-not-required", Region: q.region, Name: name, ID: ids[name],
			Group: q.region, Type: "availability-zone", State: "available",
		})
	}
	return render(r)
}
