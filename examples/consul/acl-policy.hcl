# The least that mcp-sd needs: to read the services that it selects, and the
# nodes that they run on.
#
#   consul acl policy create -name mcp-sd -rules @acl-policy.hcl
#   consul acl token create -description mcp-sd -policy-name mcp-sd
service "mcp-server" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
