//go:build !remove_all_sd || enable_digitalocean_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/digitalocean" // registers itself
