"""The completion scripts: each asks `devbox` what fits and reads lines of `kind,value` and the like.

They keep to the protocol of click's scripts (see `devbox.cli.completing`), so one that somebody saved goes on working.
"""

from typing import Final

COMPLETE_VARIABLE: Final = "_DEVBOX_COMPLETE"

_BASH = """\
_devbox_completion() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _DEVBOX_COMPLETE=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F _devbox_completion devbox
"""

_ZSH = """\
#compdef devbox

_devbox_completion() {
    local -a lines described plain
    local kind value meaning
    (( $+commands[devbox] )) || return 1
    lines=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) _DEVBOX_COMPLETE=zsh_complete devbox)}")
    for kind value meaning in "${(@)lines}"; do
        case $kind in
            plain) [[ $meaning == _ ]] && plain+=($value) || described+=("$value:$meaning") ;;
            dir) _path_files -/ ;;
            file) _path_files ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described
    (( $#plain )) && compadd -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _devbox_completion "$@"
else
    compdef _devbox_completion devbox
fi
"""

_FISH = """\
function _devbox_completion
    for line in (_DEVBOX_COMPLETE=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) devbox)
        set -l part (string split --max 1 , -- $line)
        switch $part[1]
            case plain
                echo $part[2]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
        end
    end
end

complete --no-files --command devbox --arguments "(_devbox_completion)"
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
