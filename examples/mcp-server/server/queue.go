package server

import (
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

const queueLength = 1000

// queue is work that the server does after its answer, so many jobs at every
// turn. What no longer fits is dropped.
type queue struct {
	m     *metrics.Metrics
	name  string
	turn  time.Duration
	batch int
	jobs  chan func() // says that the job has left the queue
	stop  chan struct{}
	done  sync.WaitGroup
}

func newQueue(m *metrics.Metrics, name string, turn time.Duration, batch int) *queue {
	q := &queue{m: m, name: name, turn: turn, batch: batch, jobs: make(chan func(), queueLength), stop: make(chan struct{})}
	q.done.Go(q.work)
	return q
}

// add puts a job into the queue.
func (q *queue) add() {
	dequeued := q.m.Enqueued(q.name)
	select {
	case q.jobs <- dequeued:
	default:
		dequeued()
	}
}

func (q *queue) work() {
	t := time.NewTicker(q.turn)
	defer t.Stop()
	for {
		select {
		case <-q.stop:
			return
		case <-t.C:
		}
		for range min(q.batch, len(q.jobs)) {
			(<-q.jobs)()
		}
	}
}

// close ends the work; what still waits is forgotten.
func (q *queue) close() {
	close(q.stop)
	q.done.Wait()
}
