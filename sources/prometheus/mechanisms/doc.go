// Package mechanisms links Prometheus' discovery mechanisms into the program, so
// that the source prometheus knows their keys. Importing it is all that there is
// to do: each of them registers itself with Prometheus' library.
//
// What is linked is chosen by Prometheus' own build tags: remove_all_sd leaves
// all of them out, and enable_NAME_sd beside it takes one in again. Only main
// imports this package, because it is heavy: go run ./sources/prometheus/weigh
// says what each mechanism adds.
//
// The caveat: consul, file and static are not here, since mcp-sd has mechanisms of
// its own for them, as it has for the ec2 and ecs that aws brings along; nor is
// kubernetes.
package mechanisms
