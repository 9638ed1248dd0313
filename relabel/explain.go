package relabel

import (
	"errors"
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/mcp-sd/mcp-sd/target"
)

// Explain takes one instance through relabelling and says what it saw: the
// labels that relabel_configs were given, the labels that they left, and the
// target that hygiene made of those. Where ok is false there is none, and the
// last rejection says why.
func Explain(o Options, raw target.Raw) (before, after target.Labels, t target.Target, ok bool, rej []target.Rejection) {
	p := newProcess(o)
	p.begin(raw)
	before = p.b.Labels()
	kept := p.relabel()
	after = p.b.Labels()
	if kept {
		t, ok = p.hygiene(raw.Identity)
	}
	return before, after, t, ok, p.rejected
}

// Validate says what is wrong with relabel_configs, rule by rule, as Prometheus
// does when it loads them. Label names are validated by the legacy scheme,
// because those are what every reader of the files takes (contract §3).
func Validate(configs []*relabel.Config) []target.FieldError {
	var errs []target.FieldError
	for i, c := range configs {
		err := errors.New("the rule is empty: write an action, or remove it")
		if c != nil {
			err = c.Validate(model.LegacyValidation)
		}
		if err != nil {
			errs = append(errs, target.FieldError{Field: fmt.Sprintf("[%d]", i), Err: err})
		}
	}
	return errs
}
