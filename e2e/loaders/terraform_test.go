package loaders

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

const ec2 = "../../examples/ec2/"

// Terraform's own language takes the example, and the policies that it gives
// are those that stand beside it. That the attributes are the provider's can
// only be said by the provider, which is no Go module.
func TestTerraform(t *testing.T) {
	file, problems := hclparse.NewParser().ParseHCLFile(ec2 + "main.tf")
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	policies := 0
	resources := map[string]bool{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != "resource" {
			continue
		}
		resources[strings.Join(block.Labels, ".")] = true
		for name, attribute := range block.Body.Attributes {
			if !strings.Contains(name, "policy") {
				continue
			}
			policies++
			isPolicy(t, strings.Join(block.Labels, ".")+"."+name, attribute.Expr)
		}
	}
	if policies != 3 || !resources["aws_iam_instance_profile.mcp_sd"] {
		t.Errorf("a role, two policies and a profile are expected: %v", resources)
	}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		for _, attribute := range block.Body.Attributes {
			refersToWhatIsThere(t, attribute.Expr, resources)
		}
	}
}

// isPolicy evaluates an expression as Terraform does.
func isPolicy(t *testing.T, name string, e hcl.Expression) {
	t.Helper()
	value, problems := e.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(ec2)})},
		Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc, "file": fileFunc},
	})
	if problems.HasErrors() {
		t.Errorf("%s: %v", name, problems)
		return
	}
	var policy struct {
		Version   string
		Statement []struct{ Effect string }
	}
	err := json.Unmarshal([]byte(value.AsString()), &policy)
	if err != nil || policy.Version != "2012-10-17" || len(policy.Statement) != 1 || policy.Statement[0].Effect != "Allow" {
		t.Errorf("%s is no policy: %v\n%s", name, err, value.AsString())
	}
}

var fileFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "path", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		text, err := os.ReadFile(filepath.Clean(args[0].AsString()))
		return cty.StringVal(string(text)), err
	},
})

func refersToWhatIsThere(t *testing.T, e hcl.Expression, resources map[string]bool) {
	t.Helper()
	for _, reference := range e.Variables() {
		root := reference.RootName()
		if !strings.HasPrefix(root, "aws_") {
			continue
		}
		name, ok := reference[1].(hcl.TraverseAttr)
		if !ok || !resources[root+"."+name.Name] {
			t.Errorf("%s.%v is used and not defined", root, reference[1])
		}
	}
}
