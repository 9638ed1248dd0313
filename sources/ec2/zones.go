package ec2

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
)

// zonesAgain is how long a zone that is unknown, or a permission that is
// missing, is not asked for again.
const zonesAgain = 10 * time.Minute

// zones knows the ids of a region's availability zones, which have other names
// in each account. Older answers of EC2 do not have them.
type zones struct {
	ids   map[string]string
	asked time.Time
}

// lack reports whether an instance is in a zone whose id has to be asked for.
func (z *zones) lack(inst *types.Instance) bool {
	p := inst.Placement
	if p == nil || p.AvailabilityZoneId != nil || p.AvailabilityZone == nil {
		return false
	}
	_, known := z.ids[*p.AvailabilityZone]
	return !known && (z.asked.IsZero() || time.Since(z.asked) > zonesAgain)
}

// id of the zone that an instance is in, if it is known.
func (z *zones) id(p *types.Placement) string {
	if p.AvailabilityZoneId != nil {
		return *p.AvailabilityZoneId
	}
	return z.ids[value(p.AvailabilityZone)]
}

// askZones fetches them. Where AWS refuses, for want of the permission, or
// something that is not quite AWS does not know the question, the label is left
// out. Any other failure fails the part: the label would vanish from all
// targets, and with it whatever relabel_configs make of it.
func (p *part) askZones(ctx context.Context) error {
	out, err := p.describeZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		f := amazon.Explain(err, "listing availability zones")
		answered := f.Code == "" && amazon.Status(err) >= http.StatusBadRequest
		if f.Class != amazon.Unauthorized && f.Class != amazon.Refused && !answered {
			return f
		}
		if p.zones.asked.IsZero() {
			p.log.Warn("no label __meta_ec2_availability_zone_id", "part", p.Name, "err", f)
		}
		p.zones.asked = time.Now()
		return nil
	}
	if out.AvailabilityZones == nil {
		return amazon.Partial("the answer about availability zones has none")
	}
	ids := map[string]string{}
	for _, z := range out.AvailabilityZones {
		ids[value(z.ZoneName)] = value(z.ZoneId)
	}
	p.zones = zones{ids: ids, asked: time.Now()}
	return nil
}

// value of a string that may be absent.
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
