package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp/syntax"
	"strings"

	"github.com/alecthomas/units"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"
)

// null decides what a key without a value means.
func (d *decoder) null(n *yaml.Node, field string, v reflect.Value) {
	switch {
	case n.Anchor != "":
		d.refuse(field, errors.New("a value that begins with & names an anchor: put it in quotes"))
	case v.Kind() == reflect.String, v.Type() == reflect.TypeFor[relabel.Regexp]():
		v.SetZero()
	case v.Kind() == reflect.Struct, v.Kind() == reflect.Map, v.Kind() == reflect.Slice,
		v.Kind() == reflect.Pointer, v.Kind() == reflect.Interface:
	default:
		d.refuse(field, fmt.Errorf("has no value: write %s, or take the key out to have the default", expected(v.Type())))
	}
}

func (d *decoder) scalar(n *yaml.Node, field string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, field, v.Type())
		return
	}
	ok := false
	switch {
	case v.Kind() == reflect.String:
		ok = d.text(n, field, v)
	case v.Kind() == reflect.Bool:
		ok = decodeBool(n, v)
	case v.CanInt():
		var i int64
		if ok = n.ShortTag() == "!!int" && n.Decode(&i) == nil && !v.OverflowInt(i); ok {
			v.SetInt(i)
		}
	case v.CanUint():
		var u uint64
		if ok = n.ShortTag() == "!!int" && n.Decode(&u) == nil && !v.OverflowUint(u); ok {
			v.SetUint(u)
		}
	case v.CanFloat():
		var f float64
		number := n.ShortTag() == "!!int" || n.ShortTag() == "!!float"
		if ok = number && n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0); ok {
			v.SetFloat(f)
		}
	}
	if !ok {
		d.wrongType(n, field, v.Type())
	}
}

// text takes a scalar as it is written, whatever YAML would make of it:
// version: 1.10 is "1.10". It reports what it refuses, and is always true.
func (d *decoder) text(n *yaml.Node, field string, v reflect.Value) bool {
	switch tag := n.ShortTag(); {
	case tag == "!!binary":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		if err != nil {
			d.refuse(field, errors.New("!!binary, but no base64 follows"))
		}
		v.SetString(string(b))
	case !strings.HasPrefix(tag, "!!"):
		d.refuse(field, errors.New("a value that begins with ! is a tag: put it in quotes"))
	default:
		v.SetString(n.Value)
	}
	return true
}

// decodeBool also takes the words of YAML 1.1, as Prometheus does.
func decodeBool(n *yaml.Node, v reflect.Value) bool {
	var b bool
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	if quoted || n.Decode(&b) != nil {
		return false
	}
	v.SetBool(b)
	return true
}

// typeWords says how a value of that type looks, where its kind does not tell.
func typeWords(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[model.Duration]():
		return "a duration such as 30s or 5m"
	case reflect.TypeFor[relabel.Regexp]():
		return "a regular expression"
	case reflect.TypeFor[promconfig.URL]():
		return "a URL"
	case reflect.TypeFor[promconfig.TLSVersion]():
		return "TLS10, TLS11, TLS12 or TLS13"
	case reflect.TypeFor[units.Base2Bytes]():
		return "a size such as 10MiB"
	}
	return ""
}

// expected says in people's words what belongs in a field.
func expected(t reflect.Type) string {
	if w := typeWords(t); w != "" {
		return w
	}
	switch k := t.Kind(); {
	case k == reflect.Struct, k == reflect.Map:
		return "key: value pairs"
	case k == reflect.Slice:
		return "a list"
	case k == reflect.Bool:
		return "true or false"
	case k == reflect.Float32, k == reflect.Float64:
		return "a number"
	case k == reflect.Uint, k == reflect.Uint8, k == reflect.Uint16, k == reflect.Uint32, k == reflect.Uint64:
		return "a whole number, 0 or more"
	case k >= reflect.Int && k <= reflect.Int64:
		return "a whole number"
	}
	return "text"
}

// found says in people's words what a node is.
func found(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "key: value pairs"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return found(n.Alias)
	}
	value := n.Value
	if r := []rune(value); len(r) > 40 {
		value = string(r[:40]) + "…"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + value
	case "!!bool":
		return value
	}
	return fmt.Sprintf("text %q", value)
}

// explain puts the errors of Prometheus' own types in words that say what to
// write instead.
func explain(err error, t reflect.Type, n *yaml.Node) error {
	var re *syntax.Error
	switch {
	case errors.As(err, &re):
		expr := strings.TrimSuffix(strings.TrimPrefix(re.Expr, "^(?s:"), ")$")
		return fmt.Errorf("bad regular expression: %s: %s", re.Code, expr)
	case t == reflect.TypeFor[model.Duration]():
		return fmt.Errorf("%q is no duration: write a number and its unit, such as 500ms, 30s, 5m, 1h30m or 7d", n.Value)
	case t == reflect.TypeFor[promconfig.URL](): // its own error quotes the password
		return errors.New("is no URL: write one such as http://proxy.example.com:3128 (special characters of a password as %40 and the like)")
	case t == reflect.TypeFor[promconfig.TLSVersion]():
		return fmt.Errorf("%q is no TLS version: write %s", n.Value, expected(t))
	case t == reflect.TypeFor[units.Base2Bytes]():
		return fmt.Errorf("%q is no size: write a number and its unit, such as 512KiB or 10MiB", n.Value)
	case t == reflect.TypeFor[relabel.Action]():
		return fmt.Errorf("%w%s", err, didYouMean(n.Value, actions()))
	}
	return err
}

func actions() []string {
	return []string{
		string(relabel.Replace), string(relabel.Keep), string(relabel.Drop), string(relabel.KeepEqual),
		string(relabel.DropEqual), string(relabel.HashMod), string(relabel.LabelMap), string(relabel.LabelDrop),
		string(relabel.LabelKeep), string(relabel.Lowercase), string(relabel.Uppercase),
	}
}
