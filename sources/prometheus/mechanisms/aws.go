//go:build !remove_all_sd || enable_aws_sd

package mechanisms

import _ "github.com/prometheus/prometheus/discovery/aws" // registers itself
