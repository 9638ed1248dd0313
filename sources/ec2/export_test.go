package ec2

// Isolate is for the tests from outside.
var Isolate = isolate
