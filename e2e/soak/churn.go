package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// files is over how many target files the fleet is spread.
const files = 10

// churn changes the fleet: a share of it is replaced by new instances, as many
// get another label, and as many go down for a while, which must cost nothing.
type churn struct {
	fleet *fleet
	model *model
	dir   string
	lists [files][]*listed
	dirty [files]bool

	perTick float64 // replacements
	owed    float64
	started int       // instances that ever were
	down    []*listed // restarting, in the order in which they went down
}

// listed is an instance in a target file.
type listed struct {
	ip, address string
	release     int
	file        int
	back        time.Time // when it is up again; zero: it is
	gone        bool      // replaced
}

func newChurn(o options, f *fleet, m *model, dir string) (*churn, error) {
	c := &churn{fleet: f, model: m, dir: dir, perTick: float64(o.targets) * o.churn / 60}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for i := range o.targets {
		c.add(i % files)
	}
	return c, c.write()
}

func (c *churn) add(file int) {
	l := &listed{file: file, release: 1}
	l.ip, l.address = c.fleet.address(c.started)
	c.started++
	c.fleet.set(l.ip, true)
	c.lists[file] = append(c.lists[file], l)
	c.dirty[file] = true
	c.model.added(l.address, l.release, time.Now())
}

// tick is one second's changes.
func (c *churn) tick() error {
	c.comeBack()
	for c.owed += c.perTick; c.owed >= 1; c.owed-- {
		c.replace()
		c.relabel()
		c.restart()
	}
	return c.write()
}

// any picks an instance that is up, at random.
func (c *churn) any() (file, at int) {
	for {
		file = rand.IntN(files)
		if n := len(c.lists[file]); n > 0 {
			if at = rand.IntN(n); c.lists[file][at].back.IsZero() {
				return file, at
			}
		}
	}
}

// replace ends one instance and starts another in the same file.
func (c *churn) replace() {
	file, at := c.any()
	list := c.lists[file]
	old := list[at]
	list[at] = list[len(list)-1]
	c.lists[file] = list[:len(list)-1]
	old.gone = true
	c.fleet.set(old.ip, false)
	c.model.removed(old.address, time.Now())
	c.add(file)
}

func (c *churn) relabel() {
	file, at := c.any()
	l := c.lists[file][at]
	l.release++
	c.dirty[file] = true
	c.model.added(l.address, l.release, time.Now())
}

// restart takes an instance down for longer than the probes need to notice. One
// that is not published yet would not be for as long.
func (c *churn) restart() {
	file, at := c.any()
	l := c.lists[file][at]
	for !c.model.targets[l.address].published {
		file, at = c.any()
		l = c.lists[file][at]
	}
	c.fleet.set(l.ip, false)
	l.back = time.Now().Add(restartTime)
	c.down = append(c.down, l)
}

const restartTime = time.Minute

func (c *churn) comeBack() {
	for len(c.down) > 0 && time.Now().After(c.down[0].back) {
		l := c.down[0]
		c.down = c.down[1:]
		l.back = time.Time{}
		if !l.gone {
			c.fleet.set(l.ip, true)
		}
	}
}

// write replaces the files that changed.
func (c *churn) write() error {
	for i, list := range c.lists {
		if !c.dirty[i] {
			continue
		}
		groups := make([]group, len(list))
		for j, l := range list {
			groups[j] = group{[]string{l.address}, map[string]string{"release": strconv.Itoa(l.release)}}
		}
		content, err := json.Marshal(groups)
		if err != nil {
			return err
		}
		path := filepath.Join(c.dir, fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
		c.dirty[i] = false
	}
	return nil
}

// group is one item of a file_sd file.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}
