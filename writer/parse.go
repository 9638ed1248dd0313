package writer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Parse reads a file_sd file as strictly as Prometheus does, and a little more
// so: whatever it takes, every version of Prometheus takes with the same
// meaning. Beyond Prometheus it refuses null anywhere (Prometheus drops all
// targets without a word), keys in another case, repeated keys, a group
// without targets, UTF-8 label names, an empty address and invalid UTF-8.
//
// The targets come in the order of the file. Their Key is what the labels say,
// with Prometheus' defaults, and their Source what __meta_mcp_sd_source says.
// They share memory with a copy of data.
func Parse(data []byte) ([]target.Target, error) {
	var ts []target.Target
	err := parse(string(data), func(addresses []string, l target.Labels) {
		key := target.KeyOf(l, target.DefaultScheme, target.DefaultPath)
		source := l.Get(target.SourceLabel)
		for _, a := range addresses {
			key.Address = a
			ts = append(ts, target.Target{Key: key, Source: source, Labels: l})
		}
	})
	if err != nil {
		return nil, err
	}
	return ts, nil
}

// parse calls group for each group of the file. The slice of addresses is
// reused; it and the labels share memory with the text.
func parse(text string, group func(addresses []string, l target.Labels)) error {
	s := &scanner{in: text}
	if s.in == "" {
		return errors.New("the file is empty (0 bytes): write [] for no targets")
	}
	err := s.list(func() error {
		l, err := s.group()
		if err == nil {
			group(s.addresses, l)
		}
		return err
	})
	if err == nil && s.peek() != 0 {
		err = errors.New("something follows the list")
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", 1+strings.Count(s.in[:min(s.at, len(s.in))], "\n"), err)
	}
	return nil
}

// scanner reads just the JSON that file_sd consists of: lists, objects and
// strings.
type scanner struct {
	in        string
	at        int
	addresses []string
	builder   labels.ScratchBuilder
}

// peek returns the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.in); s.at++ {
		switch c := s.in[s.at]; c {
		case ' ', '\t', '\n', '\r':
		case 0:
			return 1 // a NUL byte is not the end
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(c byte, what string) error {
	if got := s.peek(); got != c {
		return s.unexpected(what)
	}
	s.at++
	return nil
}

func (s *scanner) unexpected(what string) error {
	if s.peek() == 0 {
		return fmt.Errorf("%s is missing: the file ends too early", what)
	}
	if strings.HasPrefix(s.in[s.at:], "null") {
		return fmt.Errorf("null stands where %s should be", what)
	}
	return fmt.Errorf("%q stands where %s should be", string([]rune(s.in[s.at:min(s.at+utf8.UTFMax, len(s.in))])[:1]), what)
}

// list reads […], calling item at the start of each one.
func (s *scanner) list(item func() error) error {
	return s.sequence('[', ']', "a list", item)
}

// object reads {…}, calling value with each key; the value comes next.
func (s *scanner) object(value func(key string) error) error {
	return s.sequence('{', '}', "an object", func() error {
		key, err := s.text("a key")
		if err != nil {
			return err
		}
		if err := s.expect(':', "a colon"); err != nil {
			return err
		}
		return value(key)
	})
}

func (s *scanner) sequence(begin, end byte, what string, item func() error) error {
	if err := s.expect(begin, what); err != nil {
		return err
	}
	if s.peek() == end {
		s.at++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case end:
			s.at++
			return nil
		default:
			return s.unexpected(fmt.Sprintf("a comma or %q", string(end)))
		}
	}
}

// group reads one {"targets": […], "labels": {…}}; the targets are left in
// s.addresses.
func (s *scanner) group() (target.Labels, error) {
	var l target.Labels
	var targets, labelled bool
	s.addresses = s.addresses[:0]
	err := s.object(func(key string) error {
		var err error
		switch {
		case key == "targets" && !targets:
			targets = true
			return s.list(s.address)
		case key == "labels" && !labelled:
			labelled = true
			l, err = s.labels()
			return err
		case key == "targets" || key == "labels":
			return fmt.Errorf("%q is there twice in one group", key)
		}
		return fmt.Errorf("unknown key %q: a group has targets and labels", key)
	})
	if err == nil && !targets {
		err = errors.New("a group has no targets")
	}
	return l, err
}

func (s *scanner) address() error {
	a, err := s.text("an address")
	if err == nil {
		err = checkAddress(a)
	}
	s.addresses = append(s.addresses, a)
	return err
}

func (s *scanner) labels() (target.Labels, error) {
	s.builder.Reset()
	err := s.object(func(name string) error {
		value, err := s.text("a label's value")
		if err == nil {
			err = checkLabel(name, value)
		}
		s.builder.Add(name, value)
		return err
	})
	if err != nil {
		return target.Labels{}, err
	}
	s.builder.Sort()
	l := s.builder.Labels()
	if name, twice := l.HasDuplicateLabelNames(); twice {
		return target.Labels{}, fmt.Errorf("label %s is there twice", name)
	}
	return l.WithoutEmpty(), nil
}

// text reads a string; one without escapes is a part of the input.
func (s *scanner) text(what string) (string, error) {
	if s.peek() != '"' {
		return "", s.unexpected(what)
	}
	for i := s.at + 1; i < len(s.in); i++ {
		switch c := s.in[i]; {
		case plain(c) || c >= utf8.RuneSelf:
		case c == '"':
			raw := s.in[s.at+1 : i]
			s.at = i + 1
			return raw, checkUTF8(raw)
		case c == '\\':
			return s.escaped()
		default:
			return "", errors.New("a control character stands in a string")
		}
	}
	s.at = len(s.in)
	return "", errors.New("a string has no end: the file ends too early")
}

// escaped reads a string with escapes, of which there are few.
func (s *scanner) escaped() (string, error) {
	end := s.at + 1
	for ; end < len(s.in) && s.in[end] != '"'; end++ {
		if s.in[end] == '\\' {
			end++
		}
	}
	if end >= len(s.in) {
		return "", errors.New("a string has no end: the file ends too early")
	}
	raw := s.in[s.at : end+1]
	var v string
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		return "", fmt.Errorf("string %s: %w", raw, err)
	}
	s.at = end + 1
	return v, checkUTF8(raw)
}

func checkUTF8(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not valid UTF-8", s)
	}
	return nil
}
