//go:build !remove_all_sd || enable_oci_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/oci" // registers itself
