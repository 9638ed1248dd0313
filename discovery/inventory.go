package discovery

import (
	"context"
	"sync/atomic"
	"time"
)

// Inventory is every target at one moment: an immutable list that all readers
// share.
type Inventory struct {
	At      time.Time
	Targets []TargetView // by key

	view *View // that was the newest one
}

// roll keeps the latest inventory. None is made unless somebody asks: a pass
// pays nothing for a page that nobody looks at.
type roll struct{ latest atomic.Pointer[Inventory] }

const (
	// inventoryFresh is how long an inventory answers further readers while
	// nothing was decided, so that a crowd of them costs no more than one a second.
	inventoryFresh = time.Second
	// inventoryKept is how long one is kept that nobody asks for.
	inventoryKept = time.Minute
)

// age lets go of an inventory that nobody has asked for lately.
func (r *roll) age(now time.Time) {
	if old := r.latest.Load(); old != nil && now.Sub(old.At) > inventoryKept {
		r.latest.CompareAndSwap(old, nil)
	}
}

// Inventory returns all targets. Where the engine has no time for it before ctx
// ends, because it waits for a disk for example, the latest one that it made
// stands in, and its At tells; nil where there is none.
func (e *Engine) Inventory(ctx context.Context) *Inventory {
	if inv := e.inventory(); inv != nil {
		return inv
	}
	var inv *Inventory
	err := e.do(ctx, func() {
		if inv = e.inventory(); inv != nil {
			return // made for somebody who asked at the same time
		}
		inv = &Inventory{At: e.Now(), Targets: e.targets(), view: e.View()}
		e.roll.latest.Store(inv)
	})
	if err != nil {
		return e.roll.latest.Load()
	}
	return inv
}

// inventory is the latest one, if it is still good.
func (e *Engine) inventory() *Inventory {
	inv := e.roll.latest.Load()
	if inv == nil || inv.view != e.View() || e.Now().Sub(inv.At) > inventoryFresh {
		return nil
	}
	return inv
}
