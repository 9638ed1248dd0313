package relabel

import (
	"errors"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// hygiene makes a target of the labels that relabelling left, and drops what
// must not be published (contract §7). A bad label costs that label alone, a bad
// address that target alone.
func (p *process) hygiene(identity string) (target.Target, bool) {
	p.address = p.b.Get(target.AddressLabel)
	if !p.addressOK() {
		return target.Target{}, false
	}
	p.out.Reset()
	p.meta.Reset()
	var e endpoint
	p.b.Range(func(l labels.Label) {
		if p.labelOK(l) {
			p.publish(l, &e)
		}
	})
	p.endpoint(e)
	if p.declared {
		p.out.Add(target.MCPLabel, target.MCPDeclared)
	}
	p.out.Sort()
	p.meta.Sort()
	t := target.Target{Source: p.o.Source, Identity: identity, Labels: p.share(p.out.Labels()), Meta: p.meta.Labels()}
	t.Key = target.KeyOf(t.Labels, p.o.Scheme, p.o.Path)
	t.Address = p.address
	return t, true
}

// addressOK asks the policy about an address that is no host:port, too: one
// that is written so as to be overlooked is denied, not misspelt.
func (p *process) addressOK() bool {
	bad, denied := target.CheckAddress(p.address), p.o.Policy.CheckHostPort(p.address)
	switch {
	case errors.Is(denied, target.ErrDenied):
		p.reject("", Denied, denied.Error())
	case bad != nil:
		p.reject("", BadAddress, bad.Error())
	default:
		return true
	}
	return false
}

// labelOK reports whether a label is published, as it is or as metadata. What
// relabel_configs alone were meant to see goes without a word.
func (p *process) labelOK(l labels.Label) bool {
	internal := strings.HasPrefix(l.Name, "__")
	meta := strings.HasPrefix(l.Name, target.MetaPrefix)
	switch {
	case l.Name == target.AddressLabel, target.Temporary(l.Name):
		return false
	case strings.HasPrefix(l.Name, target.OwnMetaPrefix):
		p.reject(l.Name, ReservedLabel, "labels beginning with "+target.OwnMetaPrefix+" are mcp-sd's own")
		return false
	case meta && !p.o.KeepMeta:
		return false
	}
	if err := target.CheckLabelName(l.Name); err != nil {
		p.reject(l.Name, BadLabelName, err.Error())
		return false
	}
	if err := target.CheckLabelValue(l.Value); err != nil {
		p.reject(l.Name, BadLabelValue, err.Error())
		return false
	}
	return !internal || meta || p.internalOK(l)
}

func (p *process) internalOK(l labels.Label) bool {
	err := target.CheckInternalLabel(l.Name, l.Value)
	switch {
	case err == nil:
		return true
	case !errors.Is(err, target.ErrReserved):
		p.reject(l.Name, BadLabelValue, err.Error())
	case mistaken(l.Name):
		p.reject(l.Name, ReservedLabel, err.Error())
	}
	return false
}

// mistaken tells a name that was meant to reach Prometheus (__unix_socket__,
// __metric_path__, __scheme) from one that somebody uses as a variable between
// two rules (__port).
func mistaken(name string) bool {
	switch strings.TrimRight(name, "_") {
	case "__scheme", "__metrics_path", "__scrape_interval", "__scrape_timeout", "__param":
		return true
	}
	return strings.HasSuffix(name, "__")
}

// endpoint is what a target says of where and when it is scraped.
type endpoint struct{ scheme, path, interval, timeout string }

// publish puts a label where it belongs. The timeout waits for the interval.
func (p *process) publish(l labels.Label, e *endpoint) {
	switch l.Name {
	case target.SchemeLabel:
		e.scheme = l.Value
	case target.MetricsPathLabel:
		e.path = l.Value
	case target.ScrapeIntervalLabel:
		e.interval = l.Value
	case target.ScrapeTimeoutLabel:
		e.timeout = l.Value
		return
	}
	if strings.HasPrefix(l.Name, target.MetaPrefix) {
		p.meta.Add(l.Name, l.Value)
		return
	}
	p.out.Add(l.Name, l.Value)
}

// endpoint adds scheme and path where the configuration set them and the target
// has none (contract §5), and the timeout where Prometheus will take it: it
// refuses a target whose timeout is longer than its interval.
func (p *process) endpoint(e endpoint) {
	if p.o.Endpoint && e.scheme == "" {
		p.out.Add(target.SchemeLabel, p.o.Scheme)
	}
	if p.o.Endpoint && e.path == "" {
		p.out.Add(target.MetricsPathLabel, p.o.Path)
	}
	if e.timeout == "" {
		return
	}
	if e.interval != "" {
		// Both passed CheckInternalLabel.
		interval, _ := target.ParseScrapeDuration(e.interval)
		timeout, _ := target.ParseScrapeDuration(e.timeout)
		if timeout > interval {
			p.reject(target.ScrapeTimeoutLabel, BadLabelValue, "the timeout "+e.timeout+" is longer than the interval "+e.interval)
			return
		}
	}
	p.out.Add(target.ScrapeTimeoutLabel, e.timeout)
}
