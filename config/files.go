package config

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	promconfig "github.com/prometheus/common/config"
)

// credentials is what a *_file value may begin with: systemd's folder for the
// credentials of a unit (LoadCredential=).
const credentials = "${CREDENTIALS_DIRECTORY}"

// leaf is called for every field of an option struct: its path, its key, its value.
type leaf func(field, key string, v reflect.Value)

// walk visits everything below v, structs before what is in them.
func walk(field, key string, v reflect.Value, visit leaf) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(field, key, v.Elem(), visit)
		}
	case reflect.Struct:
		visit(field, key, v)
		for i := range v.NumField() {
			name, inline, skip := yamlName(v.Type().Field(i))
			switch {
			case skip:
			case inline:
				walk(field, key, v.Field(i), visit)
			default:
				walk(join(field, name), name, v.Field(i), visit)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String && key != "files" {
			return // no paths: of targets there may be 100,000
		}
		for i := range v.Len() {
			walk(fmt.Sprintf("%s[%d]", field, i), key, v.Index(i), visit)
		}
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.String {
			return
		}
		for it := v.MapRange(); it.Next(); {
			walk(join(field, fmt.Sprint(it.Key())), key, it.Value(), visit)
		}
	case reflect.String:
		visit(field, key, v)
	}
}

// secretFile reports whether a text field holds the path of a file: by its
// name, as in prometheus.yml, or as one of the files of an HTTP header.
func secretFile(field, key string, v reflect.Value) bool {
	header := key == "files" && strings.Contains(field, "http_headers")
	return v.Kind() == reflect.String && v.CanSet() && v.String() != "" && (header || strings.HasSuffix(key, "_file"))
}

// blocks is what options implement that hold others which no field leads to.
type blocks interface{ Blocks() iter.Seq2[string, any] }

// files makes the paths in a block absolute and looks whether secret files can
// be read and certificates are such. Packages check some of that themselves:
// what is known here to be the machine's fault, they need not say again.
func (l *loader) files(d *decoder, field string, options any, dir string) {
	if o, ok := options.(blocks); ok {
		for at, inner := range o.Blocks() {
			l.files(d, field+"."+at, inner, dir)
		}
	}
	missing := false
	walk(field, "", reflect.ValueOf(options), func(field, key string, v reflect.Value) {
		switch {
		case secretFile(field, key, v):
			path, err := readable(v.String(), dir)
			v.SetString(path)
			if err != nil {
				missing = true
				l.blame(d, field, err)
			}
		case key == "files" && v.CanSet(): // of targets: watched, so they may be missing
			v.SetString(promconfig.JoinDir(dir, v.String()))
		case strings.HasSuffix(key, "_ref") && v.Kind() == reflect.String && v.String() != "":
			plain := strings.TrimSuffix(key, "_ref")
			d.fail(field, fmt.Errorf("needs a secret manager, and mcp-sd has none: use %s or %s_file", plain, plain))
		}
	})
	if s, ok := options.(promconfig.DirectorySetter); ok {
		s.SetDirectory(dir)
	}
	if missing {
		return
	}
	walk(field, "", reflect.ValueOf(options), func(field, _ string, v reflect.Value) {
		t, ok := v.Interface().(promconfig.TLSConfig)
		if !ok || t.Validate() != nil {
			return
		}
		if _, err := promconfig.NewTLSConfig(&t); err != nil {
			l.blame(d, field, err)
		}
	})
}

// blame notes that something is the machine's fault, and reports it in Load only.
func (l *loader) blame(d *decoder, field string, err error) {
	l.blamed[d.place(field)] = true
	if !l.machine {
		return
	}
	if old := parent(parent(field)) + ".bearer_token_file"; !d.wrote(field) && d.wrote(old) {
		field = old // Prometheus' library moved it to authorization
	}
	d.fail(field, err)
}

// readable returns the path of a secret file, absolute, and why it can't be read.
func readable(path, dir string) (string, error) {
	if rest, ok := strings.CutPrefix(path, credentials); ok {
		set := os.Getenv("CREDENTIALS_DIRECTORY")
		if set == "" {
			return path, errors.New("CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit with LoadCredential=")
		}
		path = filepath.Join(set, rest)
	}
	path = promconfig.JoinDir(dir, path)
	f, err := os.Open(path)
	if err != nil {
		return path, fmt.Errorf("file %s: %w", path, readError(path, err))
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		return path, fmt.Errorf("file %s: is a directory: name the file in it", path)
	}
	return path, nil
}
