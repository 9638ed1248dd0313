//go:build !remove_all_sd || enable_openstack_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/openstack" // registers itself
