//go:build !remove_all_sd || enable_vultr_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/vultr" // registers itself
