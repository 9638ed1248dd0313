#!/usr/bin/awk -f
# Makes a manual page out of what mcp-sd --help-man prints: without its header,
# with the one-line description that apropos reads, and with dashes that can be
# copied.
!begun && !/^\.SH "NAME"/ { next }
{ begun = 1 }
/^mcp-sd$/ && !named { print "mcp\\-sd \\- discovers MCP servers and keeps Prometheus file_sd files true"; named = 1; next }
/^\.PP$/ { held = 1; next } # none may follow a heading at once
held && !heading { print ".PP" }
{ held = 0; heading = /^\.S[HS]/ }
{ sub(/ \(also try --help-long and --help-man\)/, ""); gsub(/-/, "\\-"); print }
