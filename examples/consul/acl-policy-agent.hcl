# What mcp-sd needs in order to list what is registered with one agent: its name
# and address, and the services that it selects.
#
#   consul acl policy create -name mcp-sd-agent -rules @acl-policy-agent.hcl
#   consul acl token create -description mcp-sd -policy-name mcp-sd-agent
agent_prefix "" {
  policy = "read"
}

service "mcp-server" {
  policy = "read"
}
