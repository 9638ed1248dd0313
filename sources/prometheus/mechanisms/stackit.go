//go:build !remove_all_sd || enable_stackit_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/stackit" // registers itself
