package health

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"testing"
)

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// silent keeps a server's complaints about its clients out of the test's.
func silent(*testing.T) *log.Logger { return log.New(io.Discard, "", 0) }
