# /etc/consul.d/mcp-tools.hcl: an instance that listens on loopback alone, and a
# proxy that lets Prometheus and mcp-sd reach its metrics, and nothing else, from
# outside of the mesh.
service {
  name = "mcp-tools"
  id   = "mcp-tools-1"
  port = 3000

  meta {
    environment = "production"
    version     = "v2.3.1"
  }

  connect {
    sidecar_service {
      proxy {
        expose {
          paths {
            path            = "/internal/metrics"
            local_path_port = 3000
            listener_port   = 21500
            protocol        = "http"
          }
        }
      }
    }
  }
}
