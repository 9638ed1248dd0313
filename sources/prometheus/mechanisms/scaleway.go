//go:build !remove_all_sd || enable_scaleway_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/scaleway" // registers itself
