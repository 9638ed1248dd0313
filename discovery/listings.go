package discovery

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// savedListing is listings/SOURCE.json: the last good listing of each part.
type savedListing struct {
	Schema int         `json:"schema"`
	Parts  []savedPart `json:"parts"`
}

type savedPart struct {
	Name     string             `json:"name"`
	At       time.Time          `json:"at"`
	Inline   bool               `json:"inline,omitempty"`
	Rejected []target.Rejection `json:"rejected,omitempty"` // by the mechanism itself
	Raw      savedRaws          `json:"raw"`
}

// savedRaws are instances, as encode writes them: they may be 100,000, for which
// reflection takes ten times as long, and as much memory.
type savedRaws []target.Raw

// UnmarshalJSON implements json.Unmarshaler.
func (rs *savedRaws) UnmarshalJSON(b []byte) error {
	var in []struct {
		Identity string        `json:"identity"`
		Labels   labels.Labels `json:"labels"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*rs = make(savedRaws, len(in))
	for i, r := range in {
		(*rs)[i] = target.Raw{Identity: r.Identity, Labels: r.Labels}
	}
	return nil
}

// encode makes the JSON of a listing.
func (v savedListing) encode() []byte {
	b := make([]byte, 0, v.size())
	b = fmt.Appendf(b, `{"schema":%d,"parts":[`, v.Schema)
	for i, p := range v.Parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(append(b, `{"name":`...), p.Name), `,"at":"`...)
		b = append(p.At.AppendFormat(b, time.RFC3339Nano), '"')
		if p.Inline {
			b = append(b, `,"inline":true`...)
		}
		if len(p.Rejected) > 0 {
			rejected, _ := json.Marshal(p.Rejected) // strings have no way to fail
			b = append(append(b, `,"rejected":`...), rejected...)
		}
		b = append(p.Raw.appendTo(append(b, `,"raw":`...)), '}')
	}
	return append(b, "]}\n"...)
}

// size is about how long the JSON is.
func (v savedListing) size() int {
	n := 64
	for _, p := range v.Parts {
		n += 128
		for _, r := range p.Raw {
			n += 32 + len(r.Identity) + int(r.Labels.ByteSize()) + 6*r.Labels.Len()
		}
	}
	return n
}

func (rs savedRaws) appendTo(b []byte) []byte {
	b = append(b, '[')
	for i, r := range rs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if r.Identity != "" {
			b = append(appendQuoted(append(b, `"identity":`...), r.Identity), ',')
		}
		b = append(b, `"labels":{`...)
		first := true
		r.Labels.Range(func(l labels.Label) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendQuoted(append(appendQuoted(b, l.Name), ':'), l.Value)
		})
		b = append(b, "}}"...)
	}
	return append(b, ']')
}

// appendQuoted appends s as JSON.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string has no way to fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func listingFile(source string) string { return "listings/" + source + ".json" }

// saveListings writes the listings of the sources that changed theirs.
func (m *memory) saveListings(s *State) error {
	var errs []error
	for _, src := range s.Sources {
		if !m.listings[src.Name] {
			continue
		}
		if err := m.saveListing(src); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(m.listings, src.Name)
	}
	return errors.Join(errs...)
}

func (m *memory) saveListing(src *Source) error {
	v := savedListing{Schema: listingSchema, Parts: []savedPart{}}
	for _, p := range src.Parts {
		if p.Raw == nil && !p.Answered {
			continue // never a good listing
		}
		v.Parts = append(v.Parts, savedPart{Name: p.Name, At: p.At, Inline: p.Inline, Rejected: p.Own, Raw: p.Raw})
	}
	if err := m.folder.Write(listingFile(src.Name), v.encode()); err != nil {
		return fmt.Errorf("saving the listing of source %s: %w", src.Name, err)
	}
	return nil
}

// loadListing reads the last good listings of a source back, by part name.
func (m *memory) loadListing(source string) []savedPart {
	data, err := m.folder.Read(listingFile(source))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var v savedListing
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err == nil && v.Schema != listingSchema {
		err = fmt.Errorf("it has schema %d, this mcp-sd knows %d", v.Schema, listingSchema)
	}
	if err != nil {
		m.setAside(listingFile(source), err)
		return nil
	}
	slices.SortFunc(v.Parts, func(a, b savedPart) int { return cmp.Compare(a.Name, b.Name) })
	return v.Parts
}
