// Command reference writes what there is to read about mcp-sd.yml: the JSON
// Schema for editors, the reference in Markdown, and the manual page. All three
// come from the types that the decoder fills and from the comments on their
// fields, so they cannot drift from the program or from each other.
//
// The caveat: a schema judges shapes, not meanings. What it refuses, mcp-sd
// refuses too; what it lets pass, check-config may still refuse. It is stricter
// in style only: booleans are true and false there, not yes and no.
//
//	go run ./docs/reference
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// run writes all files into a directory; it is called in the module's own.
func run(dir string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
