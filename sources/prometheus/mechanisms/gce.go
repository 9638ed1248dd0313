//go:build !remove_all_sd || enable_gce_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/gce" // registers itself
