//go:build !remove_all_sd || enable_ionos_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/ionos" // registers itself
