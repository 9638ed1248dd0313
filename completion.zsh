#compdef mcp-sd
# Completion of mcp-sd in zsh: eval "$(mcp-sd --completion-script-zsh)", after
# compinit; or this file as _mcp-sd in a directory of $fpath. What is offered the
# program says itself, and the running daemon through it.
_mcp-sd() {
	local -a args offered
	args=("${(@)words[2,CURRENT]}")
	if [[ $args[-1] == --*=* ]]; then # a flag with its value: two words for the program
		args[-1]=("${args[-1]%%=*}" "${args[-1]#*=}")
		compset -P '*='
	fi
	offered=(${(f)"$($words[1] --completion-bash "${(@)args}" 2>/dev/null)"})
	compadd -a offered || _files
}
compdef _mcp-sd mcp-sd
# Loaded by the first Tab, this file stands for the function.
[[ $funcstack[1] != _mcp-sd ]] || _mcp-sd "$@"
