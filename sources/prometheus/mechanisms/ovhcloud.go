//go:build !remove_all_sd || enable_ovhcloud_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/ovhcloud" // registers itself
