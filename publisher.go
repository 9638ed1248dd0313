package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/writer"
)

var _ discovery.Publisher = (*publisher)(nil)

// publisher shows the writer to the engine in the engine's own words, and
// remembers across restarts where it has files: after a change of path the old
// ones must lose their targets wherever they are (contract §7).
type publisher struct {
	*writer.Writer
	folder discovery.Folder
	logger *slog.Logger
	shown  *shown
	config string   // path of its file
	dirs   []string // as remembered
	warned bool     // that they could not be remembered: it was said once
}

func (p *publisher) Publish(ctx context.Context, want []*target) (discovery.Outcome, error) {
	out, err := p.Writer.Publish(ctx, want)
	p.remember()
	p.shown.settle()
	return discovery.Outcome{Written: out.Written, Behind: out.Behind, NextAt: out.NextAt, Failing: out.Failing}, err
}

func (p *publisher) Flush(ctx context.Context) error {
	_, err := p.Writer.Flush(ctx)
	return err
}

// outputsFile is where the state names the directories that have files of ours.
const outputsFile = "outputs.json"

type savedOutputs struct {
	// Config is the configuration file: what another one wrote to is none of
	// this one's business, even where both use one state directory.
	Config      string   `json:"config"`
	Directories []string `json:"directories"`
}

func (p *publisher) remember() {
	dirs := p.Dirs()
	if slices.Equal(dirs, p.dirs) {
		return
	}
	data, err := json.Marshal(savedOutputs{Config: p.config, Directories: dirs})
	if err == nil {
		err = p.folder.Write(outputsFile, append(data, '\n'))
	}
	if err != nil {
		if !p.warned {
			p.logger.Warn("could not remember which directories have files of ours", slog.Any("err", err))
		}
		p.warned = true
		return
	}
	p.dirs, p.warned = dirs, false
}

// previousDirs are the directories that the last run had files in.
func (a *app) previousDirs() []string {
	data, err := a.folder().Read(outputsFile)
	var v savedOutputs
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.logger.Warn("it is not known where earlier configurations wrote: their files keep their targets", slog.Any("err", fmt.Errorf("%s: %w", outputsFile, err)))
	}
	if len(v.Directories) > 0 && v.Config != a.configPath() {
		a.logger.Warn("the state directory was last used with another configuration: what that wrote is left as it is; give each its own --state.path",
			slog.String("other", v.Config), slog.String("state", a.flags.statePath))
		return nil
	}
	return v.Directories
}

func (a *app) configPath() string {
	path, err := filepath.Abs(a.flags.configFile)
	if err != nil {
		return a.flags.configFile
	}
	return path
}
