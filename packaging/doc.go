// Package packaging holds what makes a release out of the program: the build
// script, the packages' description and scripts, the container file.
//
// There is no code in it but the test of what it builds; see build.
package packaging
