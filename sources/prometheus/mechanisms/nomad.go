//go:build !remove_all_sd || enable_nomad_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/nomad" // registers itself
