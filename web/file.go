package web

import "time"

// File is one output file as readers see it.
type File struct {
	Path      string
	Body      []byte // the very bytes; not to be modified
	Targets   int
	Digest    string // replicas that disagree have different ones
	WrittenAt time.Time
	Err       error // why it could not be brought up to date; nil: it could
}
