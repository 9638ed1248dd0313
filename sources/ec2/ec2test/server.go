// Package ec2test is a small Amazon EC2 for tests, and an ECS on top of it: it
// answers the real Query protocol of the one and the JSON protocol of the other
// over HTTP, with what STS and an instance's metadata service have to say as
// well, and can be told to fail in the ways that the real ones do.
//
// It knows what a lister of instances and tasks needs and nothing more. The caveat: it
// follows the public API reference, and its own tests hold it against that; but
// it is not the real EC2, whose quirks it has only where they are documented.
package ec2test

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is an AWS with instances, keys and roles in it. It is an http.Handler
// for everything at once: EC2, ECS and STS by POST, the metadata service below
// /latest/. The region and the service are those that a request was signed for.
type Server struct {
	// Now is the time of the server; nil is time.Now.
	Now func() time.Time
	// SparsePages has filters applied after a page was cut out, as EC2 may:
	// pages hold fewer instances than were asked for, or none.
	SparsePages bool

	mu        sync.Mutex
	instances map[string]*Instance
	zones     map[string]map[string]string // of a region: names and ids
	keys      map[string]key
	roles     map[string]Role
	webTokens map[string]bool
	ecs       things
	machine   Machine
	imds      map[string]time.Time // tokens of the metadata service, until when
	faults    []*Fault
	calls     []Call
}

// Call is a question that arrived.
type Call struct {
	Action, Account, Region, Host string
	Page                          int // of what has pages, from 1 on
	MaxResults                    string
	Filters                       map[string][]string
}

// New returns an empty AWS.
func New() *Server {
	return &Server{
		instances: map[string]*Instance{},
		zones:     map[string]map[string]string{},
		keys:      map[string]key{},
		roles:     map[string]Role{},
		webTokens: map[string]bool{},
		ecs:       newThings(),
		imds:      map[string]time.Time{},
	}
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Calls returns the questions with this action so far; all of them if it is "".
func (s *Server) Calls(action string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c Call) bool { return action != "" && c.Action != action })
}

// ServeHTTP answers for all services.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if strings.HasPrefix(r.URL.Path, "/latest/") {
		s.serveMetadata(w, r)
		return
	}
	q, failed := s.read(r)
	s.mu.Lock()
	s.calls = append(s.calls, q.call())
	fault := s.fault(q)
	s.mu.Unlock()
	if fault != nil {
		s.serveFault(w, r, q, fault, failed)
		return
	}
	a := failed
	if a == nil {
		a = s.answer(q)
	}
	a.write(w)
}

// answer does what is asked.
func (s *Server) answer(q *query) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.service == "ecs" {
		return s.answerECS(q)
	}
	switch q.service + " " + q.form.Get("Action") {
	case "ec2 DescribeInstances":
		return s.describeInstances(q)
	case "ec2 DescribeAvailabilityZones":
		return s.describeZones(q)
	case "ec2 DescribeNetworkInterfaces":
		return s.describeInterfaces(q)
	case "sts AssumeRole":
		return s.assumeRole(q)
	case "sts AssumeRoleWithWebIdentity":
		return s.assumeRoleWithWebIdentity(q)
	case "sts GetCallerIdentity":
		return s.callerIdentity(q)
	}
	return q.fail(http.StatusBadRequest, "InvalidAction", "The action "+q.form.Get("Action")+" is not valid for this web service.")
}

func randomID(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
