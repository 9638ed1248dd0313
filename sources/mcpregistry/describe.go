package mcpregistry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

const metaPrefix = target.MetaPrefix + "mcp_registry_"

// Why a remote is no target, for mcp_sd_rejected_total.
const (
	urlTemplate = "url_template"
	badURL      = "bad_url"
)

// describe turns a server into targets, one for each remote, and says which of
// its remotes can be none. A server without remotes runs on its users' machines
// and has no targets.
//
// The address is that of the remote's URL, with the port that its scheme has.
// What is discovered may not choose how it is scraped (contract §7), so that
// scheme and path are offered to relabel_configs, as labels.
func (e *entry) describe() (raws []target.Raw, rejected []target.Rejection) {
	for _, r := range e.Server.Remotes {
		u, reason, err := r.parse()
		if err != nil {
			rejected = append(rejected, target.Rejection{
				Address: e.Server.Name, Reason: reason,
				Detail: fmt.Sprintf("version %s has the remote %s: %v", e.Server.Version, quote(r.URL), err),
			})
			continue
		}
		b := labels.NewBuilder(labels.EmptyLabels())
		e.setServer(b)
		r.set(b, u)
		raws = append(raws, target.Raw{Identity: e.Server.Name, Labels: b.Labels()})
	}
	return raws, rejected
}

// parse reads the URL of a remote. What its user would have to fill in is not
// known here.
func (r remote) parse() (u *url.URL, reason string, err error) {
	if strings.ContainsAny(r.URL, "{}") {
		return nil, urlTemplate, fmt.Errorf("a template, whose variables only its users know")
	}
	u, err = url.Parse(r.URL)
	switch {
	case err != nil:
		return nil, badURL, fmt.Errorf("it is no URL")
	case defaultPort(u) == "":
		return nil, badURL, fmt.Errorf("its scheme is neither http nor https")
	case u.Hostname() == "":
		return nil, badURL, fmt.Errorf("it has no host")
	}
	return u, "", nil
}

func defaultPort(u *url.URL) string {
	switch u.Scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// hostPort is where a URL points to, IPv6 in brackets.
func hostPort(u *url.URL) string {
	return net.JoinHostPort(strings.ToLower(u.Hostname()), cmp.Or(u.Port(), defaultPort(u)))
}

// set sets the labels of one remote. Credentials and the query, which may hold
// a key, are left out of the URL.
func (r remote) set(b *labels.Builder, u *url.URL) {
	path := cmp.Or(u.EscapedPath(), "/")
	address := hostPort(u)
	b.Set(target.AddressLabel, address)
	b.Set(metaPrefix+"remote_type", r.Type)
	b.Set(metaPrefix+"remote_scheme", u.Scheme)
	b.Set(metaPrefix+"remote_host", strings.ToLower(u.Hostname()))
	b.Set(metaPrefix+"remote_port", address[strings.LastIndex(address, ":")+1:])
	b.Set(metaPrefix+"remote_path", path)
	b.Set(metaPrefix+"remote_url", u.Scheme+"://"+u.Host+path)
}

// setServer sets what all remotes of a server have in common, and the standard
// labels (contract §4).
func (e *entry) setServer(b *labels.Builder) {
	b.Set(metaPrefix+"name", e.Server.Name)
	b.Set(metaPrefix+"title", e.Server.Title)
	b.Set(metaPrefix+"version", e.Server.Version)
	b.Set(metaPrefix+"status", e.status())
	given := e.publisher()
	// Where two names become one by being sanitised, the one that sorts first wins.
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(given))) {
		b.Set(metaPrefix+"publisher_"+target.SanitizeLabelName(k), given[k])
	}
	b.Set(target.EnvironmentName, cmp.Or(given["environment"], given["env"]))
	b.Set(target.RegionName, given["region"])
	b.Set(target.VersionName, e.Server.Version)
}

// publisher is what the publisher says of the server in its own words: texts,
// numbers and truth values. What is nested is no label.
func (e *entry) publisher() map[string]string {
	var all map[string]json.RawMessage
	if json.Unmarshal(e.Server.Meta.Publisher, &all) != nil {
		return nil
	}
	given := map[string]string{}
	for k, raw := range all {
		if text := scalar(raw); text != "" {
			given[k] = text
		}
	}
	return given
}

func scalar(raw json.RawMessage) string {
	switch raw[0] {
	case '{', '[', 'n':
		return ""
	case '"':
		var text string
		_ = json.Unmarshal(raw, &text) // it was read once already
		return text
	}
	return string(raw)
}

// quote quotes for people, and cuts what is too long to read.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
