package ec2test

import (
	"slices"
	"strconv"
	"strings"
)

// filter is Filter.N of a question: one of the values must match.
type filter struct {
	name   string
	values []string
}

// filters reads Filter.1.Name, Filter.1.Value.1 and so on.
func (q *query) filters() []filter {
	var list []filter
	for n := 1; ; n++ {
		prefix := "Filter." + strconv.Itoa(n) + "."
		name := q.form.Get(prefix + "Name")
		if name == "" {
			return list
		}
		f := filter{name: name}
		for v := 1; q.form.Has(prefix + "Value." + strconv.Itoa(v)); v++ {
			f.values = append(f.values, q.form.Get(prefix+"Value."+strconv.Itoa(v)))
		}
		list = append(list, f)
	}
}

// mostValues is how many values the filters of one question may have.
const mostValues = 200

// tooMany reports whether the filters have more values than EC2 takes.
func tooMany(filters []filter) bool {
	n := 0
	for _, f := range filters {
		n += len(f.values)
	}
	return n > mostValues
}

// knows reports whether EC2 has the filter, as far as it is played here.
func (f filter) knows() bool {
	_, ok := f.fields(&Instance{})
	return ok
}

// matches reports whether an instance passes the filter. Values are told apart
// by case.
func (f filter) matches(i *Instance) bool {
	fields, _ := f.fields(i)
	return slices.ContainsFunc(fields, func(field string) bool {
		return slices.ContainsFunc(f.values, func(pattern string) bool { return wildcard(pattern, field) })
	})
}

// fields are those of an instance that the filter looks at.
func (f filter) fields(i *Instance) (fields []string, ok bool) {
	if name, isTag := strings.CutPrefix(f.name, "tag:"); isTag {
		if v, has := i.Tags[name]; has {
			return []string{v}, true
		}
		return nil, true
	}
	var field string
	switch f.name {
	case "tag-key":
		for k := range i.Tags {
			fields = append(fields, k)
		}
		return fields, true
	case "instance-state-name":
		return []string{i.State}, true
	case "instance-state-code":
		return []string{strconv.Itoa(stateCode(i.State))}, true
	case "instance-id":
		field = i.ID
	case "instance-type":
		field = i.Type
	case "instance-lifecycle":
		field = i.Lifecycle
	case "architecture":
		field = i.Architecture
	case "availability-zone":
		field = i.Zone
	case "image-id":
		field = i.AMI
	case "owner-id":
		field = i.Account
	case "platform":
		field = i.Platform
	case "private-ip-address":
		field = i.PrivateIP
	case "private-dns-name":
		field = i.PrivateDNS
	case "ip-address":
		field = i.PublicIP
	case "dns-name":
		field = i.PublicDNS
	case "subnet-id":
		field = i.Subnet
	case "vpc-id":
		field = i.VPC
	default:
		return nil, false
	}
	if field == "" {
		return nil, true
	}
	return []string{field}, true
}

// wildcard matches * with any text and ? with one character; a backslash takes
// that meaning from the next character.
func wildcard(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	for {
		switch {
		case len(p) == 0:
			return len(t) == 0
		case p[0] == '*':
			for n := range len(t) + 1 {
				if wildcard(string(p[1:]), string(t[n:])) {
					return true
				}
			}
			return false
		case len(t) == 0:
			return false
		case p[0] == '\\' && len(p) > 1:
			p = p[1:]
			fallthrough
		case p[0] != '?':
			if p[0] != t[0] {
				return false
			}
		}
		p, t = p[1:], t[1:]
	}
}
