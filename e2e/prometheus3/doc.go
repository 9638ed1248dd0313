// Package prometheus3 pins the Prometheus 3 that the end-to-end tests run,
// in a module of its own because its dependencies and Consul's do not agree.
package prometheus3
