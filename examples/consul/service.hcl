# /etc/consul.d/mcp-server.hcl: one instance, as its agent registers it.
service {
  name = "mcp-server"
  id   = "mcp-server-1"
  port = 3000
  tags = ["mcp"]

  # mcp-sd makes labels of these three. All of meta can be reached in
  # relabel_configs as __meta_consul_service_metadata_<key>.
  meta {
    environment = "production"
    region      = "us-east-1"
    version     = "v2.3.1"
  }

  # mcp-sd probes /metrics itself; this check is for Consul's other users.
  check {
    http     = "http://localhost:3000/metrics"
    interval = "30s"
    timeout  = "10s"
  }
}
