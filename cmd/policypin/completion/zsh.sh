#compdef policypin
# zsh completion for policypin
_policypin() {
	local -a candidates
	local line word text
	while IFS= read -r line; do
		word=${line%%$'\t'*}
		text=${line#*$'\t'}
		candidates+=("${word//:/\\:}:${text}")
	done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( ${#candidates} )); then
		_describe policypin candidates
	else
		_files
	fi
}
if [[ "${funcstack[1]}" == _policypin ]]; then
	_policypin "$@"
else
	compdef _policypin policypin
fi
