// Package config reads mcp-sd.yml: defaults, strict decoding, validation, and
// every error with its file, line and field, all at once (contract §3).
//
// It owns no options but those of its own sections (global, source_files,
// sources). Every other section is a struct of the package that uses it, with
// its defaults and its Validate; this package finds the block, decodes it
// strictly over the defaults, and puts a place to whatever Validate says. A new
// option of health, say, touches package health alone.
//
// The caveat: strictness is this package's own work. The YAML library is used
// to parse, never to decode into structs, because it stops at the first value
// that an UnmarshalYAML refuses and knows no field paths. See strict.go.
package config
