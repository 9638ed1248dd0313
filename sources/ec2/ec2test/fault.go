package ec2test

import (
	"errors"
	"net/http"
	"slices"
	"time"
)

// Fault is one way to answer wrongly. What is empty in its first four fields
// stands for any.
type Fault struct {
	Account, Region, Action string
	Page                    int // of what has pages, from 1 on
	Times                   int // 0: until it is mended

	// How: the first that is set.
	Drop bool // closes the connection without a word
	Hang bool // takes the question, and never answers
	Code string
	// Status and Message belong to Code.
	Status  int
	Message string
	Body    *string // with status 200, or Status
	Cut     float64 // this share of the true answer, and then the connection ends
	// Clean has the cut answer end as if it were whole.
	Clean bool
	// Pause between ten pieces of the true answer.
	Pause time.Duration
}

// Fail has questions answered wrongly from now on, until mend is called. The
// latest of several faults that fit wins.
func (s *Server) Fail(f Fault) (mend func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(o *Fault) bool { return o == &f })
	}
}

// Mend ends all faults.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) fault(q *query) *Fault {
	c := q.call()
	return s.faultOf(c.Action, c.Account, c.Region, c.Page)
}

func (s *Server) faultOf(action, account, region string, page int) *Fault {
	for i, f := range slices.Backward(s.faults) {
		fits := (f.Account == "" || f.Account == account) && (f.Region == "" || f.Region == region) &&
			(f.Action == "" || f.Action == action) && (f.Page == 0 || f.Page == page)
		if !fits {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// serveFault answers wrongly.
func (s *Server) serveFault(w http.ResponseWriter, r *http.Request, q *query, f *Fault, failed *answer) {
	a := failed
	if a == nil {
		a = s.answer(q)
	}
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Hang:
		<-r.Context().Done()
	case f.Code != "":
		q.fail(f.Status, f.Code, f.Message).write(w)
	case f.Body != nil:
		a = &answer{status: f.Status, body: *f.Body, json: a.json}
		if a.status == 0 {
			a.status = http.StatusOK
		}
		a.write(w)
	case f.Cut > 0:
		f.cut(w, a)
	default:
		f.slowly(w, r, a)
	}
}

func (f *Fault) cut(w http.ResponseWriter, a *answer) {
	(&answer{a.status, a.body[:int(float64(len(a.body))*f.Cut)], a.json}).write(w)
	if !f.Clean {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (f *Fault) slowly(w http.ResponseWriter, r *http.Request, a *answer) {
	const pieces = 10
	for i := range pieces {
		piece := a.body[len(a.body)*i/pieces : len(a.body)*(i+1)/pieces]
		if _, err := w.Write([]byte(piece)); errors.Is(err, http.ErrHandlerTimeout) {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(f.Pause):
		}
	}
}
