//go:build !remove_all_sd || enable_zookeeper_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/zookeeper" // registers itself
