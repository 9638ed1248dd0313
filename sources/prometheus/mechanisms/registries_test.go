//go:build !remove_all_sd

package mechanisms_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

var registries = map[string]recording{
	"eureka": {
		config: "eureka_sd_configs: [{server: '$URL/eureka/v2', $REFRESH}]",
		answers: map[string]string{
			"/apps": `<applications><versions__delta>1</versions__delta><apps__hashcode>UP_1_</apps__hashcode><application><name>MCP</name><instance>
				<hostName>mcp-1.example.com</hostName><app>MCP</app><ipAddr>10.0.0.8</ipAddr><status>UP</status><port enabled="true">3000</port>
				<instanceId>mcp-1</instanceId><metadata><environment>production</environment><region>eu</region></metadata></instance></application></applications>`,
		},
		want: "mcp-1.example.com:3000 mcp-1 production eu ",
	},
	"kuma": {
		config: "kuma_sd_configs: [{server: '$URL', client_id: mcp-sd, fetch_timeout: 500ms, $REFRESH}]",
		answers: map[string]string{
			"/v3/discovery:monitoringassignments": `{"versionInfo": "1", "nonce": "1", "typeUrl": "type.googleapis.com/kuma.observability.v1.MonitoringAssignment",
				"resources": [{"@type": "type.googleapis.com/kuma.observability.v1.MonitoringAssignment", "mesh": "default", "service": "mcp",
					"targets": [{"name": "mcp-1", "address": "10.0.0.9:3000", "scheme": "http", "metricsPath": "/metrics",
						"labels": {"environment": "production", "environments": ",production,", "region": "eu", "version": "v2"}}]}]}`,
		},
		want: "10.0.0.9:3000 mcp-1 production eu v2",
	},
	"puppetdb": {
		config: `puppetdb_sd_configs: [{url: '$URL', query: 'resources { type = "Class" and title = "Mcp" }', include_parameters: true, port: 3000, $REFRESH}]`,
		answers: map[string]string{
			"/pdb/query/v4": `[{"certname": "mcp-1.example.com", "resource": "a3f1", "type": "Class", "title": "Mcp", "exported": false, "line": 7,
				"tags": ["mcp", "class"], "file": "/etc/puppet/site.pp", "environment": "main",
				"parameters": {"environment": "production", "region": "eu", "version": "v2"}}]`,
		},
		want: "mcp-1.example.com:3000  production eu v2",
	},
	"uyuni": {
		config: "uyuni_sd_configs: [{server: '$URL', username: u, password: p, $REFRESH}]",
		answers: map[string]string{
			"auth.login": rpc("<string>session</string>"),
			"system.listSystemGroupsForSystemsWithEntitlement": rpc(`<array><data><value><struct><member><name>id</name><value><i4>1000010000</i4></value></member>
				<member><name>system_groups</name><value><array><data><value><struct><member><name>id</name><value><i4>1</i4></value></member>
				<member><name>name</name><value><string>mcp</string></value></member></struct></value></data></array></value></member></struct></value></data></array>`),
			"system.monitoring.listEndpoints": rpc(`<array><data><value><struct><member><name>system_id</name><value><i4>1000010000</i4></value></member>
				<member><name>endpoint_name</name><value><string>mcp</string></value></member><member><name>exporter_name</name><value><string>mcp</string></value></member>
				<member><name>port</name><value><i4>3000</i4></value></member><member><name>path</name><value><string>/metrics</string></value></member>
				<member><name>tls_enabled</name><value><boolean>0</boolean></value></member></struct></value></data></array>`),
			"system.getNetworkForSystems": rpc(`<array><data><value><struct><member><name>system_id</name><value><i4>1000010000</i4></value></member>
				<member><name>hostname</name><value><string>mcp-1.example.com</string></value></member><member><name>ip</name><value><string>10.0.0.12</string></value></member>
				<member><name>primary_fqdn</name><value><string>mcp-1.example.com</string></value></member></struct></value></data></array>`),
		},
		want: "mcp-1.example.com:3000 1000010000   ",
	},
}

// rpc is an answer of XML-RPC.
func rpc(value string) string {
	return "<methodResponse><params><param><value>" + value + "</value></param></params></methodResponse>"
}

// Kuma says that nothing has changed, of which its mechanism only counts: that is no
// silence.
func TestUnchangedIsNoSilence(t *testing.T) {
	r := registries["kuma"]
	var asked atomic.Int64
	s := serve(t, r, fault{serve: func(a *api, w http.ResponseWriter, _ *http.Request, key, answer string) {
		if asked.Add(1) == 1 {
			a.answer(w, key, answer)
			return
		}
		w.WriteHeader(http.StatusNotModified)
	}})
	config := strings.NewReplacer("$REFRESH", "refresh_interval: 100ms", "fetch_timeout: 500ms", "fetch_timeout: 100ms").Replace(r.config)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // silence is judged after 600 ms
	defer cancel()
	listed := false
	err := source(t, s.fill(config), 20*time.Second).(target.Watcher).Watch(ctx, func(l target.Listing) {
		listed = true
		if p := l.Parts[0]; p.Err != nil {
			t.Errorf("%+v", p)
		}
	})
	if err != nil || !listed || asked.Load() < 5 {
		t.Errorf("%v: listed %t, asked %d times", err, listed, asked.Load())
	}
}
