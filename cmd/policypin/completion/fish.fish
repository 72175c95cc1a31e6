# fish completion for policypin
function __policypin_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c policypin -a '(__policypin_complete)'
