//go:build !remove_all_sd || enable_puppetdb_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/puppetdb" // registers itself
