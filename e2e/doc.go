// Package e2e tests the built mcp-sd binary from the outside, against the real
// servers that it works with: Consul, two generations of Prometheus, and
// promtool; its pages are read by a real Chromium. Nothing of mcp-sd is
// imported here: only what an operator sees (flags, files, exit codes, metrics,
// pages, Prometheus' own API) is looked at.
//
// The servers are compiled from pinned modules (Consul in this module,
// Prometheus 3 in prometheus3, servers of MCP's SDK in mcpserver) and kept in
// the user's cache directory; the first build takes many minutes, so let it
// have them first:
//
//	go test -timeout 60m -run '^TestParts$' .
//	go test -timeout 50m .
//
// Prometheus 2, promtool, strace and Chromium come from the distribution, and
// axe-core and MCP's reference server (everything) through npm. The tests of faults mount file systems and cut links,
// for which they need root. A part that is missing fails the tests that need it
// and says how to get it; nothing is skipped.
//
// The pictures in the README are drawn anew with
//
//	go test -run TestWeb$ -update .
//
// MCP_SD_BINARY names a binary to test instead of building the parent module,
// and MCP_SD_CRASH_ROUNDS says how often TestCrash kills. The long run at 5,000
// targets is a command of its own, see soak.
package e2e
