# Completes the command qbench in fish. Made by `qbench completion fish`.

function __qbench_overrides
    set -l word (commandline -ct)
    if string match -q -- '*=*' $$word
        switch (string split -m 1 = -- $$word)[1]
$values
        end
    else
        printf '%s\n' $keys
    end
end

complete -c qbench -f
complete -c qbench -n __fish_use_subcommand -l help
complete -c qbench -n __fish_use_subcommand -l version
$verbs
