package main

import _ "github.com/mcp-sd/mcp-sd/sources/prometheus/mechanisms" // for the source prometheus; chosen by build tags
