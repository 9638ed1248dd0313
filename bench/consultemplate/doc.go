// Package consultemplate pins the consul-template that mcp-sd is compared
// with, in a module of its own because its dependencies are none of ours.
package consultemplate
