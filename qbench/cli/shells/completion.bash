# Completes the command qbench in bash. Made by `qbench completion bash`.

_qbench_options() {
    case $$1 in
$options
    esac
}

_qbench_words() {
    case $$1 in
$words
    esac
}

_qbench_values() {
    case $$1 in
$values
    esac
}

_qbench() {
    # bash divides words at "=" and ":", so the word is read from the line itself.
    local line=$${COMP_LINE:0:COMP_POINT}
    local word=$${line##*[[:space:]]} verb=$${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($$(compgen -W '$verbs --help --version' -- "$$word"))
    elif [[ $$word == -* ]]; then
        COMPREPLY=($$(compgen -W "$$(_qbench_options "$$verb")" -- "$$word"))
    elif [[ $$word == *=* ]]; then
        _qbench_after_key "$${word%%=*}" "$${word#*=}"
    else
        COMPREPLY=($$(compgen -W "$$(_qbench_words "$$verb")" -- "$$word"))
        case $$verb in
        $overriding)
            COMPREPLY+=($$(compgen -W '$keys' -- "$$word"))
            [[ $${#COMPREPLY[@]} == 1 ]] && compopt -o nospace 2>/dev/null
            ;;
        esac
        case $$verb in
        $with_paths) _qbench_paths "$$word" ;;
        esac
    fi
}

# The values of a key, behind the last comma of a list.
_qbench_after_key() {
    local values rest=$${2##*,} before one
    before=$${2%"$$rest"}
    values=$$(_qbench_values "$$1")
    if [[ $$values ]]; then
        for one in $$(compgen -W "$$values" -- "$$rest"); do
            COMPREPLY+=("$$before$$one")
        done
    else
        _qbench_paths "$$2"
    fi
    if [[ $$COMP_WORDBREAKS != *=* ]]; then
        COMPREPLY=("$${COMPREPLY[@]/#/$$1=}")
    fi
}

_qbench_paths() {
    local one
    compopt -o filenames 2>/dev/null
    while IFS= read -r one; do
        COMPREPLY+=("$$one")
    done < <(compgen -f -- "$$1")
}

complete -F _qbench qbench
