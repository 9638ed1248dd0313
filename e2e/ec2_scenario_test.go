package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestEC2ToPrometheus follows instances through their whole life in EC2, in two
// regions of two accounts, and looks at them where it matters: in Prometheus.
func TestEC2ToPrometheus(t *testing.T) {
	t.Parallel()
	eachPrometheus(t, func(t *testing.T, version prometheusVersion) {
		s := newEC2Scenario(t, version)
		s.launched(t)
		s.retagged(t)
		s.startedAndStopped(t)
		s.addressReused(t)
		s.regionDown(t)
		s.roleRevoked(t)
		s.roleRestored(t)
		s.lastsUntilTheEnd(t)
	})
}

// An ec2Scenario is a small fleet in EC2, the mcp-sd that asks for it, and the
// Prometheus that reads what mcp-sd writes.
type ec2Scenario struct {
	ec2        *ec2Server
	fleet      *fleet
	workspace  *workspace
	daemon     *daemon
	prometheus *prometheusServer
	instances  map[string]ec2Instance // by the part that they play
	want       map[string]labels      // what Prometheus is to scrape
}

func newEC2Scenario(t *testing.T, version prometheusVersion) *ec2Scenario {
	s := &ec2Scenario{
		ec2: startEC2(t), fleet: newFleet(t), workspace: newWorkspace(t),
		instances: map[string]ec2Instance{}, want: map[string]labels{},
	}
	for _, account := range []string{ec2Theirs, ec2Others} {
		s.ec2.tell(t, http.MethodPut, "roles", map[string]any{"ARN": ec2Role(account), "ExternalID": "e2e", "Trusts": []string{ec2Ours}})
	}
	s.workspace.configure(t, `
global: {refresh_interval: 1s, source_timeout: 10s}
sources:
  - name: fleet
    ec2:
      endpoint: %s
      regions: [us-east-1, eu-west-1]
      access_key: %s
      secret_key: %s
      role_arns: [%q, %q]
      external_id: e2e
      port: %d
      filters: [{name: "tag:mcp", values: ["tr*"]}]
    relabel_configs: [{source_labels: [__meta_ec2_owner_id], target_label: account}]
health: {interval: 2s, timeout: 2s, fall: 2, linger: 20s, allow_cidrs: [127.0.0.0/8]}
guard: {max_removed_ratio: 0.9}
outputs:
  - {path: $TARGETS/mcp.json, min_write_interval: 100ms}
`, s.ec2.url, ec2Key, ec2Secret, ec2Role(ec2Theirs), ec2Role(ec2Others), s.fleet.port)
	s.daemon = s.workspace.startWith(t, "AWS_ENDPOINT_URL_STS="+s.ec2.url)
	s.prometheus = version.startReading(t, s.workspace.targets)
	return s
}

// play has an instance answer at its address, and be what EC2 says.
func (s *ec2Scenario) play(t *testing.T, part string, i ec2Instance) {
	t.Helper()
	i.Tags["mcp"] = "true"
	s.instances[part] = i
	s.fleet.add(i.PrivateIP, "v9.9.9")
	s.ec2.launch(t, i)
}

// expect says how Prometheus is to see the instance.
func (s *ec2Scenario) expect(part string, want labels) {
	want["account"], want["region"] = s.instances[part].Account, s.instances[part].Region
	s.want[s.address(part)] = want
}

func (s *ec2Scenario) address(part string) string {
	return s.fleet.address(s.instances[part].PrivateIP)
}

func (s *ec2Scenario) file() string { return s.workspace.output("mcp.json") }

// settles waits until the file and Prometheus are as wanted.
func (s *ec2Scenario) settles(t *testing.T) {
	t.Helper()
	eventually(t, retried, func() error { return fileHas(s.file(), s.want) })
	eventually(t, inStep, func() error { return s.prometheus.has(s.want) })
}

// launched: what runs, carries the tag and answers appears with its labels, from
// each account and region; nothing else does.
func (s *ec2Scenario) launched(t *testing.T) {
	s.play(t, "tagged", ec2Instance{ID: "i-1", Account: ec2Theirs, Region: "us-east-1", PrivateIP: "127.0.2.1", Tags: map[string]string{"environment": "production", "version": "v1.0.0"}})
	s.expect("tagged", labels{"environment": "production", "version": "v1.0.0"})
	s.play(t, "far", ec2Instance{ID: "i-2", Account: ec2Theirs, Region: "eu-west-1", PrivateIP: "127.0.2.2", Tags: map[string]string{"Env": "staging"}})
	s.expect("far", labels{"environment": "staging", "version": "v9.9.9"}) // from its metrics
	s.play(t, "other", ec2Instance{ID: "i-3", Account: ec2Others, Region: "eu-west-1", PrivateIP: "127.0.2.3", Tags: map[string]string{"version": "v1"}})
	s.expect("other", labels{"version": "v1"})
	s.play(t, "reused", ec2Instance{ID: "i-4", Account: ec2Theirs, Region: "us-east-1", PrivateIP: "127.0.2.4", Tags: map[string]string{"environment": "production"}})
	s.expect("reused", labels{"environment": "production", "version": "v9.9.9"})
	s.play(t, "stopped", ec2Instance{ID: "i-5", Account: ec2Theirs, Region: "us-east-1", PrivateIP: "127.0.2.5", State: "stopped", Tags: map[string]string{"version": "v1"}})
	untagged := ec2Instance{ID: "i-6", Account: ec2Theirs, Region: "us-east-1", PrivateIP: "127.0.2.6"}
	notOurs := ec2Instance{ID: "i-7", Account: ec2Ours, Region: "us-east-1", PrivateIP: "127.0.2.7", Tags: map[string]string{"mcp": "true"}}
	s.fleet.add(untagged.PrivateIP, "v1")
	s.fleet.add(notOurs.PrivateIP, "v1")
	s.ec2.launch(t, untagged, notOurs)
	s.settles(t)
	eventually(t, soon, func() error { return s.daemon.sourceUp("fleet", "ec2", "1") })
}

// retagged: a tag that changes is a label that changes.
func (s *ec2Scenario) retagged(t *testing.T) {
	s.ec2.launch(t, s.instances["tagged"].with("version", "v2.0.0"))
	s.want[s.address("tagged")]["version"] = "v2.0.0"
	s.settles(t)
}

// startedAndStopped: a stopped instance that starts appears; one that is
// terminated, and silent, leaves.
func (s *ec2Scenario) startedAndStopped(t *testing.T) {
	s.ec2.launch(t, s.instances["stopped"].in("running"))
	s.expect("stopped", labels{"version": "v1"})
	s.settles(t)
	s.fleet.set(s.instances["stopped"].PrivateIP, off)
	s.ec2.launch(t, s.instances["stopped"].in("terminated"))
	delete(s.want, s.address("stopped"))
	s.settles(t)
}

// addressReused: another instance takes the address over. Publication does not
// end; labels and the probed version are those of the new one.
func (s *ec2Scenario) addressReused(t *testing.T) {
	old, address := s.instances["reused"], s.address("reused")
	s.fleet.add(old.PrivateIP, "v10.0.0")
	successor := old.with("environment", "staging")
	successor.ID = "i-8"
	s.ec2.launch(t, successor)
	s.ec2.launch(t, old.in("terminated"))
	s.want[address] = labels{"environment": "staging", "version": "v10.0.0", "account": old.Account, "region": old.Region}
	eventually(t, retried, func() error {
		targets, err := readTargets(s.file())
		if err != nil {
			return err
		}
		if _, published := targets[address]; !published {
			t.Fatalf("%s was not published for a while", address)
		}
		return fileHas(s.file(), s.want)
	})
	s.settles(t)
}

// regionDown: one region fails, its targets stay, also the one that is down;
// what happens in the other region is seen.
func (s *ec2Scenario) regionDown(t *testing.T) {
	s.ec2.tell(t, http.MethodPut, "faults", map[string]any{"Region": "eu-west-1", "Drop": true})
	eventually(t, soon, func() error { return s.daemon.sourceUp("fleet", "ec2", "0") })
	s.fleet.set(s.instances["far"].PrivateIP, broken)
	s.ec2.launch(t, s.instances["tagged"].with("version", "v3.0.0"))
	s.want[s.address("tagged")]["version"] = "v3.0.0"
	s.settles(t)
	eventually(t, inStep, func() error { return s.prometheus.up(s.address("far"), "0") })
	s.fleet.set(s.instances["far"].PrivateIP, healthy)
	s.ec2.tell(t, http.MethodDelete, "faults", nil)
	eventually(t, retried, func() error { return s.daemon.sourceUp("fleet", "ec2", "1") })
}

// roleRevoked: an account whose role is gone keeps its targets in Prometheus,
// even one that went down and was terminated meanwhile; the other account is
// listed as ever.
func (s *ec2Scenario) roleRevoked(t *testing.T) {
	s.ec2.tell(t, http.MethodDelete, "roles?arn="+ec2Role(ec2Others), nil)
	eventually(t, soon, func() error { return s.daemon.sourceUp("fleet", "ec2", "0") })
	s.fleet.set(s.instances["other"].PrivateIP, off)
	s.ec2.launch(t, s.instances["other"].in("terminated"))
	s.play(t, "late", ec2Instance{ID: "i-9", Account: ec2Theirs, Region: "us-east-1", PrivateIP: "127.0.2.9", Tags: map[string]string{"version": "v1"}})
	s.expect("late", labels{"version": "v1"})
	s.settles(t)
	eventually(t, inStep, func() error { return s.prometheus.up(s.address("other"), "0") })
	eventually(t, soon, func() error { return s.daemon.logged("AccessDenied", "allow sts:AssumeRole", ec2Role(ec2Others)) })
	if n, err := s.daemon.sample(`mcp_sd_source_failures_total{reason="unauthorized",source="fleet",type="ec2"}`); err != nil || n == 0 {
		t.Errorf("the metric counts %v failures for lack of rights: %v", n, err)
	}
}

// roleRestored: with the role back, what is gone leaves.
func (s *ec2Scenario) roleRestored(t *testing.T) {
	s.ec2.tell(t, http.MethodPut, "roles", map[string]any{"ARN": ec2Role(ec2Others)})
	delete(s.want, s.address("other"))
	eventually(t, 2*retried, func() error { return fileHas(s.file(), s.want) })
	s.settles(t)
	eventually(t, soon, func() error { return s.daemon.sourceUp("fleet", "ec2", "1") })
}

func (s *ec2Scenario) lastsUntilTheEnd(t *testing.T) {
	s.daemon.stops(t)
	if err := fileHas(s.file(), s.want); err != nil {
		t.Errorf("after mcp-sd has ended: %v", err)
	}
}

// logged checks that one line of the log has all of these.
func (d *daemon) logged(parts ...string) error {
	for line := range strings.Lines(string(d.logTail())) {
		if containsAll(line, parts) {
			return nil
		}
	}
	return fmt.Errorf("no line of the log has all of %q", parts)
}
