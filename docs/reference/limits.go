package main

// limit is what a schema can say about a value beyond its type.
type limit struct {
	enum     []string
	pattern  string
	names    string // the pattern of a table's keys
	min, max *float64
	anyCase  bool // of enum: any other spelling that has a capital letter passes
	atLeast  int  // items
	required bool // the key has to be there
	positive bool // longer than 0s
}

// limits are those that the packages' own Validate enforces, by struct and
// field. The test of the bad configurations shows that none is missing that
// counts, the test of the good ones that none goes too far.
func limits() map[string]limit {
	scheme := []string{"http", "https"}
	interval := limit{positive: true}
	return map[string]limit{
		"config.Global.Labels":                   {names: labelName},
		"config.sourceKeys.Labels":               {names: labelName},
		"static.Group.Labels":                    {names: labelName},
		"health.Options.AllowCIDRs.items":        {pattern: `/[0-9]{1,3}$`},
		"config.mainFile.Outputs":                {required: true, atLeast: 1},
		"config.Global.RefreshInterval":          interval,
		"config.Global.SourceTimeout":            interval,
		"config.sourceKeys.Name":                 {required: true, pattern: `^[a-z0-9_-]{1,63}$`},
		"config.sourceKeys.RefreshInterval":      interval,
		"config.sourceKeys.SourceTimeout":        interval,
		"health.Options.Scheme":                  {enum: scheme},
		"health.Options.Path":                    {pattern: `^/`},
		"health.Options.Interval":                interval,
		"health.Options.Timeout":                 interval,
		"health.Options.Rise":                    {min: number(1)},
		"health.Options.Fall":                    {min: number(1)},
		"health.Options.Concurrency":             {min: number(1)},
		"health.Options.Admit":                   {enum: []string{"on_success", "always"}},
		"health.MCPOptions.Path":                 {pattern: `^/`},
		"health.MCPOptions.Interval":             interval,
		"discovery.GuardOptions.MaxRemovedRatio": {min: number(0), max: number(1)},
		"discovery.GuardOptions.MinRemoved":      {min: number(0)},
		"discovery.GuardOptions.Window":          interval,
		"discovery.VersionOptions.Label":         {pattern: `^([a-zA-Z_][a-zA-Z0-9_]*)?$`},
		"writer.Output.Path":                     {required: true, pattern: `\.json$`},
		"writer.Output.Mode":                     {pattern: `^[0-7]{1,4}$`},
		"writer.Output.Shards":                   {min: number(1), max: number(1000)},
		"consul.Options.Scheme":                  {enum: scheme},
		"ec2.Options.Address":                    {enum: []string{"private_ip", "public_ip", "private_dns", "public_dns", "ipv6"}},
		"ecs.Options.RequestConcurrency":         {min: number(1)},
		"ecs.DockerLabel.PortLabel":              {required: true},
		"exec.Options.Command":                   {required: true, atLeast: 1},
		"exec.Options.Env":                       {names: labelName},
		"mcpregistry.Options.Server":             {required: true, pattern: `^https?://`},
		"mcpregistry.Options.Versions":           {enum: []string{"latest", "all"}},
		"config.TLSConfig.MinVersion":            {enum: versions()},
		"config.TLSConfig.MaxVersion":            {enum: versions()},
		"relabel.Config.Action":                  {enum: actions(), anyCase: true},
		"discovery.VersionOptions.From.items":    {enum: []string{"source", "metrics", "mcp"}},
	}
}

func number(n float64) *float64 { return &n }

func versions() []string { return []string{"TLS10", "TLS11", "TLS12", "TLS13"} }

func actions() []string {
	return []string{
		"replace", "keep", "drop", "keepequal", "dropequal", "hashmod",
		"labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase",
	}
}

// How Prometheus writes durations and sizes.
const (
	duration  = `^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`
	labelName = `^[a-zA-Z_][a-zA-Z0-9_]*$`
	size      = `^([0-9]+(\.[0-9]+)?([KMGTPE]i?)?B)+$`
)
