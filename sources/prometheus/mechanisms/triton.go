//go:build !remove_all_sd || enable_triton_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/triton" // registers itself
