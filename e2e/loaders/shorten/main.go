// Command shorten rewrites Prometheus rules so that what takes minutes takes
// seconds, for a test that has no minutes: it divides every range, offset and
// "for:", and changes nothing else. What it prints is otherwise the file that
// it read, so a test of it is a test of the rules that are shipped.
//
//	shorten 60 mcp-alerts.yml >quick-alerts.yml
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "shorten:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: shorten FACTOR RULES.yml")
	}
	factor, err := strconv.Atoi(args[0])
	if err != nil || factor < 1 {
		return fmt.Errorf("the factor %q is no number from 1 on", args[0])
	}
	rules, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	short, err := shorten(rules, time.Duration(factor))
	if err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	_, err = out.Write(short)
	return err
}

// shorten works on the file's own nodes: what it does not know stays.
func shorten(rules []byte, factor time.Duration) ([]byte, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(rules, &file); err != nil {
		return nil, err
	}
	changed, err := walk(&file, factor)
	if err != nil {
		return nil, err
	}
	if changed == 0 {
		return nil, errors.New("it has no rule")
	}
	return yaml.Marshal(&file)
}

// walk returns how many expressions it has seen.
func walk(n *yaml.Node, factor time.Duration) (seen int, err error) {
	for i, child := range n.Content {
		key := ""
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key = n.Content[i-1].Value
		}
		switch {
		case key == "expr":
			seen++
			child.Value, err = expression(child.Value, factor)
		case key == "for" || key == "keep_firing_for":
			child.Value, err = duration(child.Value, factor)
		default:
			var below int
			below, err = walk(child, factor)
			seen += below
		}
		if err != nil {
			return seen, fmt.Errorf("line %d: %w", child.Line, err)
		}
	}
	return seen, nil
}

func duration(s string, factor time.Duration) (string, error) {
	d, err := model.ParseDuration(s)
	return model.Duration(time.Duration(d) / factor).String(), err
}

// expression divides the durations of a PromQL expression.
func expression(s string, factor time.Duration) (string, error) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(s)
	if err != nil {
		return "", err
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			n.OriginalOffset /= factor
		case *parser.MatrixSelector:
			n.Range /= factor
		case *parser.SubqueryExpr:
			n.Range /= factor
			n.Step /= factor
			n.OriginalOffset /= factor
		}
		return nil
	})
	return e.String(), nil
}
