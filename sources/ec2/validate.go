package ec2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-sd/mcp-sd/sources/amazon"
	"github.com/mcp-sd/mcp-sd/target"
)

// Validate says everything that is wrong with the options. It looks at no file.
func (o *Options) Validate() []target.FieldError {
	var e amazon.FieldErrors
	o.Access.Validate(&e)
	o.validateTargets(&e)
	for i, f := range o.Filters {
		f.validate(&e, fmt.Sprintf("filters[%d]", i))
	}
	return e
}

func (o *Options) validateTargets(e *amazon.FieldErrors) {
	if o.Port < 1 || o.Port > 65535 {
		e.Add("port", "%d is no port: write a number from 1 to 65535", o.Port)
	}
	choices := []string{privateIP, publicIP, privateDNS, publicDNS, ipv6}
	if o.Address != "" && !slices.Contains(choices, o.Address) {
		e.Add("address", "%q is unknown: write one of %s", o.Address, strings.Join(choices, ", "))
	}
}

func (f Filter) validate(e *amazon.FieldErrors, field string) {
	if f.Name == "" {
		e.Add(field+".name", `is empty: write one of EC2's filters such as "tag:mcp" or vpc-id`)
	}
	if len(f.Values) == 0 {
		e.Add(field+".values", "is empty: write at least one value, * matches all")
	}
}
