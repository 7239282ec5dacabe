#compdef qbench
# Completes the command qbench in zsh. Made by `qbench completion zsh`.

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
    local verb=$$words[2] values
    if ((CURRENT == 2)); then
        compadd -- $verbs --help --version
    elif [[ $$PREFIX == -* ]]; then
        compadd -- $${=$$(_qbench_options $$verb)}
    elif [[ $$PREFIX == *=* ]]; then
        values=$$(_qbench_values $${PREFIX%%=*})
        compset -P '*[=,]'
        if [[ -n $$values ]]; then
            compadd -- $${=values}
        else
            _files
        fi
    else
        compadd -- $${=$$(_qbench_words $$verb)}
        case $$verb in
        $overriding) compadd -S '' -- $keys ;;
        esac
        case $$verb in
        $with_paths) _files ;;
        esac
    fi
}

if [[ $$zsh_eval_context[-1] == loadautofunc ]]; then
    _qbench "$$@"
else
    compdef _qbench qbench
fi
