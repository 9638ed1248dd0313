package ec2test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Machine is the instance whose metadata service is played. It has none where
// Region is empty.
type Machine struct {
	InstanceID, Account, Region string
	Role                        string // name of its role; "" is none
	// Life of the role's credentials; 0 is six hours.
	Life time.Duration
}

// SetMachine says on which instance the metadata service is asked.
func (s *Server) SetMachine(m Machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine = m
}

const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	rolePath    = "/latest/meta-data/iam/security-credentials/"
)

// serveMetadata answers as IMDSv2 does: without a token, 401.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{Action: r.Method + " " + r.URL.Path, Host: r.Host})
	if s.faultOf(r.Method+" "+r.URL.Path, "", "", 0) != nil {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/latest/api/token" {
		s.serveToken(w, r)
		return
	}
	until, known := s.imds[r.Header.Get(tokenHeader)]
	switch {
	case r.Method != http.MethodGet:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case !known || s.now().After(until):
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	default:
		s.serveItem(w, r)
	}
}

// serveToken hands out a token. A request that came through a proxy gets none.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	switch {
	case r.Method != http.MethodPut:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case r.Header.Get("X-Forwarded-For") != "":
		http.Error(w, "Forbidden", http.StatusForbidden)
	case err != nil || ttl < 1 || ttl > 21600:
		http.Error(w, "Bad Request", http.StatusBadRequest)
	default:
		token := randomID(20)
		s.imds[token] = s.now().Add(time.Duration(ttl) * time.Second)
		w.Header().Set(ttlHeader, strconv.Itoa(ttl))
		_, _ = io.WriteString(w, token)
	}
}

func (s *Server) serveItem(w http.ResponseWriter, r *http.Request) {
	m := s.machine
	role := m.Role != "" && m.Region != ""
	switch path := r.URL.Path; {
	case m.Region != "" && path == "/latest/meta-data/placement/region":
		_, _ = io.WriteString(w, m.Region)
	case m.Region != "" && path == "/latest/dynamic/instance-identity/document":
		writeJSON(w, map[string]any{
			"accountId": m.Account, "architecture": "x86_64", "availabilityZone": m.Region + "a", "imageId": "ami-5fb8c835",
			"instanceId": m.InstanceID, "instanceType": "t3.micro", "pendingTime": "2024-11-19T16:32:11Z",
			"privateIp": "10.158.112.84", "region": m.Region, "version": "2017-09-30",
		})
	case role && strings.TrimSuffix(path, "/") == strings.TrimSuffix(rolePath, "/"):
		_, _ = io.WriteString(w, m.Role)
	case role && path == rolePath+m.Role:
		s.serveRole(w)
	default:
		http.Error(w, "Not Found", http.StatusNotFound)
	}
}

func (s *Server) serveRole(w http.ResponseWriter) {
	m, life := s.machine, s.machine.Life
	if life == 0 {
		life = 6 * time.Hour
	}
	arn := "arn:aws:iam::" + m.Account + ":role/" + m.Role
	id, k := s.temporary(m.Account, "arn:aws:sts::"+m.Account+":assumed-role/"+m.Role+"/"+m.InstanceID, arn, life)
	writeJSON(w, map[string]string{
		"Code": "Success", "LastUpdated": s.now().UTC().Format(time.RFC3339), "Type": "AWS-HMAC",
		"AccessKeyId": id, "SecretAccessKey": k.secret, "Token": k.token, "Expiration": k.expires.UTC().Format(time.RFC3339),
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}
