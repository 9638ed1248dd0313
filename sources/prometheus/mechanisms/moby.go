//go:build !remove_all_sd || enable_moby_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/moby" // registers itself
