//go:build !remove_all_sd || enable_linode_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/linode" // registers itself
