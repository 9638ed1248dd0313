package main

import (
	"slices"
	"testing"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// A shell expands the words that it is offered: none may mean anything to it.
func TestWordsAreHarmless(t *testing.T) {
	var all []discovery.TargetView
	for _, a := range []string{
		"10.0.0.1:80", "10.0.0.1:80", "[2001:db8::1]:80", "mcp-1.example.com:80",
		"$(id):80", "`id`:80", "a;b:80", "${HOME}:80", "a b:80", "~:80", "{a,b}:80", "a\nb:80", "a\\b:80", "",
	} {
		all = append(all, discovery.TargetView{Address: a})
	}
	got := words(all, func(t discovery.TargetView) (string, bool) { return t.Address, true })
	if want := []string{"10.0.0.1:80", "[2001:db8::1]:80", "mcp-1.example.com:80"}; !slices.Equal(got, want) {
		t.Errorf("offered %q, want %q", got, want)
	}
}
