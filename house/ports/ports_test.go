package ports

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

// TestNext: what is handed out can be bound at once, however many children are
// forked meanwhile, and is handed out once.
func TestNext(t *testing.T) {
	stop := make(chan struct{})
	var forking sync.WaitGroup
	for range 4 {
		forking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("true").Run()
				}
			}
		})
	}
	seen := map[int]bool{}
	for range 1000 {
		port, err := Next()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d was handed out twice", port)
		}
		seen[port] = true
		l, err := net.Listen("tcp4", ":"+strconv.Itoa(port))
		if err != nil {
			t.Fatalf("port %d is not free: %v", port, err)
		}
		_ = l.Close()
	}
	close(stop)
	forking.Wait()
}

// TestCopy: the module of the end-to-end tests cannot import this one, whose
// Consul client is newer than Consul itself allows.
func TestCopy(t *testing.T) {
	var files [2][]byte
	for i, path := range []string{"ports.go", "../../e2e/ports/ports.go"} {
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("e2e/ports/ports.go is no longer a copy of house/ports/ports.go")
	}
}
