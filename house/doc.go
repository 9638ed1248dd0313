// Package house tests the architecture: which package may import which, where
// the heavy clients may be, and the habits that keep the code readable.
//
// It reads the source, so it has nothing to say about behaviour. Where a test
// here stands in the way of a better layout, change both, and the README's
// picture with them.
package house
