// Package loaders reads the examples that belong to other programs by those
// programs' own code, or by the schema that they publish: Kubernetes' schema
// validation and the Prometheus operator's definitions, HCL as Terraform reads
// it, Alloy's syntax and the source of its components, PromQL's parser.
//
// What would weigh too much as a Go module runs as a program instead: vmagent
// and Alertmanager in the module above, Consul and cron in docs. Two run
// nowhere: Alloy, whose arguments are checked all the same, and Terraform, of
// whose provider for AWS nothing is: its schema is code, half a gigabyte of it.
package loaders
