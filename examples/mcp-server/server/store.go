package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

const documentCount = 200

// store is the server's database. It is in memory, and therefore takes its
// time on purpose: a few milliseconds, as one over a network would.
type store struct {
	m     *metrics.Metrics
	extra time.Duration // what the fault adds to every query
	docs  []document
	cache *cache

	mu    sync.Mutex
	tiers map[string]string // of users, by name
}

type document struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

func newStore(m *metrics.Metrics, extra time.Duration) *store {
	s := &store{m: m, extra: extra, cache: newCache(m, cacheDocuments, documentCount/2), tiers: map[string]string{}}
	topics := []string{"files", "targets", "probes", "sources", "guards", "tiers", "alerts", "shards"}
	for id := range documentCount {
		topic := topics[id%len(topics)]
		s.docs = append(s.docs, document{id, fmt.Sprintf("On %s, part %d", topic, id/len(topics)+1), strings.Repeat("All about "+topic+". ", 5+id%40)})
	}
	return s
}

// query does something with a collection, in the time that a database takes.
func (s *store) query(ctx context.Context, operation, collection string, do func()) error {
	return s.m.Query(operation, collection, func() error {
		// Most are quick, a few are not: a cubed uniform number, 1 to 60 ms.
		x := rand.Float64()
		took := time.Millisecond + time.Duration(x*x*x*float64(59*time.Millisecond))
		if err := wait(ctx, took+s.extra); err != nil {
			return fmt.Errorf("database: %s in %s: %w", operation, collection, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
		return nil
	})
}

// search returns the first documents with a word in their title.
func (s *store) search(ctx context.Context, word string) (found []document, err error) {
	err = s.query(ctx, find, documents, func() {
		for _, d := range s.docs {
			if len(found) < 3 && strings.Contains(strings.ToLower(d.Title), strings.ToLower(word)) {
				found = append(found, d)
			}
		}
	})
	return found, err
}

// document asks the cache before the database.
func (s *store) document(ctx context.Context, id int) (d document, ok bool, err error) {
	if v, hit := s.cache.get(id); hit {
		return v.(document), true, nil
	}
	err = s.query(ctx, find, documents, func() {
		if ok = id >= 0 && id < len(s.docs); ok {
			d = s.docs[id]
		}
	})
	if ok {
		s.cache.put(id, d)
	}
	return d, ok, err
}

func (s *store) serveDocument(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		http.Error(w, "documents have numbers", http.StatusBadRequest)
		return
	}
	d, ok, err := s.document(r.Context(), id)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case !ok:
		http.Error(w, "no such document", http.StatusNotFound)
	default:
		answer(w, d)
	}
}
