package health

import "bytes"

// A plain line is written as nearly all servers write nearly all lines: ASCII,
// nothing escaped, single spaces, no timestamp. What it says is the same to
// Prometheus' parsers of both text formats, and is read off here without one of
// them, which costs 2 µs and a kilobyte for a single line. What is not plain,
// good or bad, is left to them.

// plainMetadata reports whether a line is a plain # HELP or # TYPE of a family.
func plainMetadata(line []byte) bool {
	rest, help := bytes.CutPrefix(line, []byte("# HELP "))
	if !help {
		var typed bool
		if rest, typed = bytes.CutPrefix(line, []byte("# TYPE ")); !typed {
			return false
		}
	}
	n := nameEnd(rest)
	text, ok := bytes.CutPrefix(rest[n:], []byte(" "))
	if n == 0 || !ok || !bytes.HasSuffix(text, []byte("\n")) {
		return false
	}
	if text = text[:len(text)-1]; help {
		return plainEnd(text) == len(text)
	}
	switch string(text) {
	case "counter", "gauge", "histogram", "summary":
		return true
	}
	return false
}

// plainSample reports whether a line is a plain sample, and what value it gives
// to one of its labels, if any.
func plainSample(line []byte, label string) (value []byte, ok bool) {
	n := nameEnd(line)
	if n == 0 {
		return nil, false
	}
	rest, braced := bytes.CutPrefix(line[n:], []byte("{"))
	for braced {
		var name, v []byte
		if name, v, rest, ok = cutLabel(rest); !ok {
			return nil, false
		}
		if string(name) == label {
			if value != nil {
				return nil, false // which of them counts is not ours to say
			}
			value = v
		}
		braced = rest[0] == ','
		rest = rest[1:]
	}
	return value, plainNumber(rest)
}

// cutLabel takes a plain label off, up to the comma or brace that rest begins with.
func cutLabel(b []byte) (name, value, rest []byte, ok bool) {
	n := nameEnd(b)
	rest, ok = bytes.CutPrefix(b[n:], []byte(`="`))
	if !ok || n == 0 {
		return nil, nil, nil, false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || end+1 == len(rest) || rest[end+1] != ',' && rest[end+1] != '}' {
		return nil, nil, nil, false
	}
	name, value, rest = b[:n], rest[:end:end], rest[end+1:]
	ok = bytes.IndexByte(name, ':') < 0 && plainEnd(value) == len(value) && bytes.IndexByte(value, '\\') < 0
	return name, value, rest, ok
}

// plainNumber reports whether a line goes on with a number in the decimal system
// that no parser finds too large, and ends.
func plainNumber(rest []byte) bool {
	const longest = 32
	if len(rest) > longest || len(rest) < 3 || rest[0] != ' ' || rest[len(rest)-1] != '\n' {
		return false
	}
	rest = bytes.TrimPrefix(rest[1:len(rest)-1], []byte("-"))
	mantissa, exponent, scaled := bytes.Cut(rest, []byte("e"))
	if scaled {
		if len(exponent) > 0 && (exponent[0] == '-' || exponent[0] == '+') {
			exponent = exponent[1:]
		}
		if len(exponent) > 2 || !digits(exponent) {
			return false
		}
	}
	whole, fraction, dotted := bytes.Cut(mantissa, []byte("."))
	return digits(whole) && (!dotted || digits(fraction))
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// nameEnd is how far a metric's name goes, or a label's, which has no colon.
func nameEnd(b []byte) int {
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == ':':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return i
		}
	}
	return len(b)
}

// plainEnd is how far a text has nothing but printable ASCII.
func plainEnd(b []byte) int {
	for i, c := range b {
		if c < ' ' || c > '~' {
			return i
		}
	}
	return len(b)
}
