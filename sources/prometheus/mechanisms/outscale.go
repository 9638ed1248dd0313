//go:build !remove_all_sd || enable_outscale_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/outscale" // registers itself
