//go:build !remove_all_sd || enable_hetzner_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/hetzner" // registers itself
