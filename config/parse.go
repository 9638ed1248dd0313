package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var errEmpty = errors.New("is empty: write sources and outputs, or sources alone in a file that source_files names")

// parseYAML reads the one document of a file. The number is the line of the
// error, 0 where it has none.
func parseYAML(data []byte) (*yaml.Node, int, error) {
	if len(data) > maxFileSize {
		return nil, 0, tooLarge()
	}
	if line, err := checkText(data); err != nil {
		return nil, line, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, 0, errEmpty
	case err != nil:
		line, err := syntaxError(data, err)
		return nil, line, err
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, second.Line, errors.New("a second YAML document begins: keep one, without --- in between")
	case !errors.Is(err, io.EOF):
		line, err := syntaxError(data, err)
		return nil, line, err
	}
	if root := unalias(doc.Content[0]); root.Kind != yaml.ScalarNode || root.ShortTag() != "!!null" {
		return root, 0, nil
	}
	return nil, 0, errEmpty
}

// checkText finds what is no text before the YAML library does, because its
// errors about that name no line.
func checkText(data []byte) (int, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return 1, errors.New("is UTF-16: save it as UTF-8")
	}
	line := 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return line, fmt.Errorf("byte 0x%02x is not UTF-8: save the file as UTF-8", data[i])
		case r == '\n':
			line++
		case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
			return line, fmt.Errorf(`control character 0x%02x: take it out, or write "\x%02x" in double quotes`, r, r)
		}
		i += n
	}
	return 0, nil
}

var linePrefix = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// lineOf takes the line number off a message of the YAML library.
func lineOf(msg string) (int, string) {
	m := linePrefix.FindStringSubmatch(msg)
	n, _ := strconv.Atoi(m[1])
	return n, msg[len(m[0]):]
}

// syntaxError says in people's words, and without quoting the file, what the
// YAML library stumbled over. The text of the library's error can hold a
// secret: `password: *s3cr3t` is an unknown anchor to it.
func syntaxError(data []byte, err error) (int, error) {
	line, msg := lineOf(err.Error())
	line = max(line, 1)
	if strings.HasPrefix(msg, "did not find") { // of the parser, whose lines count from 0
		line++
	}
	line = min(line, 1+bytes.Count(bytes.TrimRight(data, "\n"), []byte("\n")))
	tab := tabLine(data, line)
	switch {
	case strings.HasPrefix(msg, "unknown anchor"):
		return aliasLine(data, msg), errors.New("a value that begins with * refers to an anchor, and there is none of that name: put the value in quotes")
	case tab > 0:
		return tab, errors.New("a tab can't indent in YAML: use spaces")
	case strings.Contains(msg, "unexpected end of stream"):
		return line, errors.New("a quote that opens here is never closed")
	case strings.Contains(msg, "cannot start any token"):
		return line, errors.New("a value can't begin with @, %, a backtick or a tab: put it in quotes")
	case strings.Contains(msg, "mapping values are not allowed"):
		return line, errors.New("a key: value stands where none can: check the indentation, and put values that hold a colon and a space in quotes")
	}
	return line, fmt.Errorf("no valid YAML: %s (check indentation, quotes and brackets here and just above)", msg)
}

// aliasLine finds the first line that uses the anchor which msg says is unknown.
func aliasLine(data []byte, msg string) int {
	name, _, _ := strings.Cut(strings.TrimPrefix(msg, "unknown anchor '"), "' referenced")
	before, _, found := bytes.Cut(data, []byte("*"+name))
	if !found {
		return 1
	}
	return 1 + bytes.Count(before, []byte("\n"))
}

// tabLine finds a line indented by a tab at or just below the given one; 0: none.
func tabLine(data []byte, line int) int {
	lines := bytes.Split(data, []byte("\n"))
	for n := line; n <= min(line+1, len(lines)); n++ {
		text := lines[n-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if bytes.ContainsRune(indent, '\t') {
			return n
		}
	}
	return 0
}
