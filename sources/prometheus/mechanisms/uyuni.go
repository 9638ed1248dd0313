//go:build !remove_all_sd || enable_uyuni_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/uyuni" // registers itself
