# What mcp-sd needs in order to list what peers export: their state, and, as
# Consul demands of whoever reads something imported, all services and nodes.
#
#   consul acl policy create -name mcp-sd-peers -rules @acl-policy-peers.hcl
#   consul acl token create -description mcp-sd -policy-name mcp-sd-peers
peering = "read"

service_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
