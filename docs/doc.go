// Package docs holds the pictures of the README, and the tests that what the
// README says is so: its commands are run, its configurations are loaded, its
// output is compared with the real one.
//
// How a block is tested is said after its language: see readme_test.go. The
// tests that need root, promtool or systemd are behind the tag ci.
package docs
