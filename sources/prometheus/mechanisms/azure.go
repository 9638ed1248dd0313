//go:build !remove_all_sd || enable_azure_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/azure" // registers itself
