//go:build !remove_all_sd || enable_xds_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/xds" // registers itself
