//go:build !remove_all_sd || enable_eureka_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/eureka" // registers itself
