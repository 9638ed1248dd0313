package config

import (
	"fmt"
	"strings"

	"github.com/mcp-sd/mcp-sd/writer"
)

func (l *loader) outputs(d *decoder, c *Config, dir string) {
	for i := range c.Outputs {
		c.Outputs[i].SetDirectory(dir)
	}
	l.problems(d, "outputs", writer.ValidateOutputs(c.Outputs))
	c.lines = lines{}
	for field, n := range d.lines {
		if strings.HasPrefix(field, "outputs") {
			c.lines[field] = n
		}
	}
}

// CheckEnvironment looks for what a valid configuration needs of the machine it
// is for: the directories and groups of the outputs. The error is an *Errors.
// Whether files can be written is found out by the writer, under the user that
// it runs as.
func (c *Config) CheckEnvironment() error {
	var errs errorList
	c.checkEnvironment(&errs)
	return errs.err()
}

func (c *Config) checkEnvironment(errs *errorList) {
	for i, o := range c.Outputs {
		for _, e := range o.CheckMachine() {
			at := below("outputs", fmt.Sprintf("[%d].%s", i, e.Field))
			errs.add(Error{File: c.File, Line: c.lines.of(at), Field: at, Err: e.Err})
		}
	}
}
