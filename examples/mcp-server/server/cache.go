package server

import (
	"sync"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

// cache keeps some values; where it is full, any of them makes room.
type cache struct {
	m    *metrics.Metrics
	name string
	size int

	mu     sync.Mutex
	values map[int]any
}

func newCache(m *metrics.Metrics, name string, size int) *cache {
	return &cache{m: m, name: name, size: size, values: map[int]any{}}
}

func (c *cache) get(key int) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, hit := c.values[key]
	c.m.LookedUp(c.name, hit)
	return v, hit
}

func (c *cache) put(key int, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for old := range c.values {
		if len(c.values) < c.size {
			break
		}
		delete(c.values, old)
	}
	c.values[key] = v
}
