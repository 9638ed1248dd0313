package exec

import (
	"fmt"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		change func(*Options)
		want   string
	}{
		{func(*Options) {}, ""},
		{func(o *Options) { o.Command = nil }, "command: is empty"},
		{func(o *Options) { o.Command = []string{""} }, "command: is empty"},
		{func(o *Options) { o.Command = []string{"inventory --all"} }, `command[0]: "inventory --all" has a space in it`},
		{func(o *Options) { o.Command = []string{"a b", "c"} }, ""},
		{func(o *Options) { o.Command = []string{"a", "b\x00"} }, "command[1]: has a zero byte"},
		{func(o *Options) { o.Env = map[string]promconfig.Secret{"A-B": "x"} }, `env.A-B: "A-B" is no name of a variable`},
		{func(o *Options) { o.Env = map[string]promconfig.Secret{"A": "\x00"} }, "env.A: has a zero byte"},
		{func(o *Options) { o.OutputLimit = 0 }, "output_limit: must be more than 0B"},
	} {
		o := Default()
		o.Command = []string{"inventory"}
		tc.change(o)
		got := fmt.Sprint(o.Validate())
		if tc.want == "" && got != "[]" || !strings.Contains(got, tc.want) {
			t.Errorf("got %s, want %q", got, tc.want)
		}
	}
}

// Contract §6: credentials are no option that decides what is listed.
func TestFingerprint(t *testing.T) {
	of := func(change func(*Options)) string {
		o := Default()
		o.Command, o.Env = []string{"./inventory", "--all"}, map[string]promconfig.Secret{"TOKEN": "a"}
		change(o)
		o.SetDirectory("/etc/mcp-sd")
		return o.Fingerprint()
	}
	same := of(func(*Options) {})
	for _, tc := range []struct {
		change  func(*Options)
		changes bool
	}{
		{func(o *Options) { o.Command = []string{"/etc/mcp-sd/inventory", "--all"} }, false},
		{func(o *Options) { o.Env = map[string]promconfig.Secret{"TOKEN": "b"} }, false},
		{func(o *Options) { o.OutputLimit = 1 }, false},
		{func(o *Options) { o.WorkingDirectory = "." }, false},
		{func(o *Options) { o.Env = nil }, true},
		{func(o *Options) { o.Command = []string{"./inventory"} }, true},
		{func(o *Options) { o.WorkingDirectory = "/srv" }, true},
	} {
		if got := of(tc.change); (got != same) != tc.changes {
			t.Errorf("fingerprint changes: %t, want %t", got != same, tc.changes)
		}
	}
}
