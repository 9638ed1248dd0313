package ecs

// Isolate is for the tests from outside.
var Isolate = isolate
