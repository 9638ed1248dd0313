# Completion of mcp-sd in bash: eval "$(mcp-sd --completion-script-bash)". What
# is offered the program says itself, and the running daemon through it.
_mcp_sd() {
	local line=${COMP_LINE:0:COMP_POINT} words cur
	read -ra words <<<"$line" # COMP_WORDS is taken apart at : and =, too
	[[ $line != *[[:space:]] ]] || words+=("")
	cur=${words[-1]}
	if [[ $cur == --*=* ]]; then # a flag with its value: two words for the program
		words[-1]=${cur%%=*}
		cur=${cur#*=}
		words+=("$cur")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$("$1" --completion-bash "${words[@]:1}" 2>/dev/null)" -- "$cur")
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then # bash puts in what follows the last colon
		COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
	fi
}
complete -o default -F _mcp_sd mcp-sd
