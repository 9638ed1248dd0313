package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
)

// The commands besides the daemon itself.
const (
	checkConfig = "check-config"
	explain     = "explain"
	targets     = "targets"
	accept      = "accept"
	remove      = "remove"
	adopt       = "adopt"
)

const (
	defaultConfig = "/etc/mcp-sd/mcp-sd.yml"
	defaultState  = "/var/lib/mcp-sd"
	defaultListen = "127.0.0.1:10917"
)

// flags is the parsed command line.
type flags struct {
	command string

	configFile string
	statePath  string
	web        *toolkit.FlagConfig
	lifecycle  bool
	log        promslog.Config

	once           bool
	dryRun         bool
	acceptRemovals bool
	onceTimeout    time.Duration
	textfile       string

	file    string // of check-config and adopt
	address string // of explain and remove
	source  string // of accept
	format  string // of explain, targets, accept and remove
}

const about = `Discovers MCP servers (Consul, EC2, static lists and files), probes their metrics endpoints exactly as Prometheus would, and keeps file_sd files true.

A failure of a source, of the network, of the disk or of mcp-sd itself never takes a target away from Prometheus.

Without a command it runs as a daemon; with --once it makes one pass and exits, which is made for cron.

Exit status: 0 success; 1 invalid configuration, or an output or the state could not be written; 3 the guard holds removals back; 4 another mcp-sd holds the output; 5 part of a source failed and its last good targets were kept.`

// parse reads the command line. Where ok is false, the program ends with code.
func parse(args []string, stdout, stderr io.Writer) (f *flags, code int, ok bool) {
	if script, asked := completionScript(args); asked {
		fmt.Fprint(stdout, script)
		return nil, exitOK, false
	}
	f = &flags{}
	app := kingpin.New("mcp-sd", about)
	end := -1
	app.Terminate(func(status int) { end = status })
	app.UsageWriter(stdout)
	app.ErrorWriter(stderr)
	app.Version(version.Print("mcp-sd"))
	app.VersionFlag.Short('V')
	app.HelpFlag.Short('h')
	if !completing(args) {
		app.Command("run", "Run (the default).").Default().Hidden()
	}
	level := f.declare(app)
	command, err := app.Parse(args)
	switch {
	case end >= 0:
		return nil, end, false
	case err == nil:
		err = f.check(command, level)
	}
	if err != nil {
		fmt.Fprintf(stderr, "mcp-sd: %v; see mcp-sd --help\n", err)
		return nil, exitFailure, false
	}
	return f, exitOK, true
}

// declare declares all flags and commands; the result tells whether the log
// level was chosen by the user.
func (f *flags) declare(app *kingpin.Application) *bool {
	app.Flag("config.file", "Configuration file.").Default(defaultConfig).PlaceHolder(defaultConfig).StringVar(&f.configFile)
	app.Flag("state.path", "Directory of the state ($STATE_DIRECTORY, else "+defaultState+").").
		Default(defaultStatePath()).PlaceHolder("DIR").StringVar(&f.statePath)
	app.Flag("once", "Make one pass over every source, probe, write, and exit.").BoolVar(&f.once)
	app.Flag("dry-run", "With --once: write nothing, take no lock, print a diff of each output file.").BoolVar(&f.dryRun)
	app.Flag("accept-removals", "With --once: let through what the guard holds.").BoolVar(&f.acceptRemovals)
	app.Flag("once.timeout", "With --once: the pass ends by then; what was not probed keeps its last verdict.").
		Default("50s").DurationVar(&f.onceTimeout)
	app.Flag("metrics.textfile", "With --once: also write the mcp_sd_* metrics to this file, for node_exporter's textfile collector.").
		PlaceHolder("FILE").StringVar(&f.textfile)
	f.web = kingpinflag.AddFlags(app, defaultListen)
	app.Flag("web.enable-lifecycle", "Allow POST and PUT to /-/reload and /-/accept.").BoolVar(&f.lifecycle)
	promslogflag.AddFlags(app, &f.log)
	chosen := new(bool)
	app.GetFlag("log.level").IsSetByUser(chosen)

	check := app.Command(checkConfig, "Validate the configuration: print what was understood, or every error with file, line and field.")
	check.Arg("file", "Configuration file; by default that of --config.file.").StringVar(&f.file)
	why := app.Command(explain, "Tell why a target is published, pending, lingering, held, dropped, removed or unknown.")
	explained := why.Arg("address", "The target's host:port, or its URL.").Required()
	explained.StringVar(&f.address)
	all := app.Command(targets, "Show all targets.")
	let := app.Command(accept, "Let through exactly the held removals that it shows.")
	accepted := let.Arg("source", "Of this source only.")
	accepted.StringVar(&f.source)
	out := app.Command(remove, "Remove one lingering or held target now.")
	removed := out.Arg("address", "The target's host:port.").Required()
	removed.StringVar(&f.address)
	for _, c := range []*kingpin.CmdClause{why, all, let, out} {
		c.Flag("format", "text or json.").Default("text").EnumVar(&f.format, "text", "json")
	}
	f.complete(explained, removed, accepted)
	take := app.Command(adopt, "Take over a file_sd file that something else wrote: its targets count as published.")
	take.Arg("file", "The file, where an output of the configuration would write it.").Required().StringVar(&f.file)
	return chosen
}

func defaultStatePath() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	return defaultState
}

// check refuses what makes no sense together, and puts defaults in place that
// depend on the command.
func (f *flags) check(command string, levelChosen *bool) error {
	f.command = command
	if f.command == "run" {
		f.command = ""
	}
	switch {
	case (f.dryRun || f.acceptRemovals || f.textfile != "") && !f.once:
		return fmt.Errorf("--dry-run, --accept-removals and --metrics.textfile go with --once")
	case f.onceTimeout <= 0:
		return fmt.Errorf("--once.timeout must be longer than 0s")
	case f.command != "" && f.once:
		return fmt.Errorf("--once does not go with the command %s", f.command)
	}
	if f.once && !*levelChosen {
		return f.log.Level.Set("warn")
	}
	return nil
}

// listen returns the addresses to listen on. An empty one switches listening
// off, and must never reach net.Listen, which would take any port on all
// interfaces.
func (f *flags) listen() []string {
	return slices.DeleteFunc(slices.Clone(*f.web.WebListenAddresses), func(a string) bool { return a == "" })
}
