//go:build !remove_all_sd || enable_marathon_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/marathon" // registers itself
