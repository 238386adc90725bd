# SPDX-License-Identifier: Apache-2.0
# Bash completion of iovsim.
_iovsim()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}

    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "run compare sensitivity explain check inspect schema --help --version" -- "$current")
        return
    fi
    case $previous in
    -o) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --set | --over) mapfile -t COMPREPLY < <(compgen -S = -W "strategy seed workload.kind workload.operations workload.size" -- "$current"); return ;;
    --by) mapfile -t COMPREPLY < <(compgen -W "p50 cpu ops" -- "$current"); return ;;
    --kernel) mapfile -t COMPREPLY < <(compgen -W "native systemc" -- "$current"); return ;;
    esac
    case ${COMP_WORDS[1]} in
    inspect) mapfile -t COMPREPLY < <(compgen -W "$(iovsim inspect 2>/dev/null | cut -d' ' -f1) --json" -- "$current") ;;
    run) mapfile -t COMPREPLY < <(compgen -W "-o --set --seed --kernel --pci-dump --quiet" -- "$current"; compgen -f -- "$current") ;;
    explain) mapfile -t COMPREPLY < <(compgen -W "-n --request --mermaid --set --seed" -- "$current"; compgen -f -- "$current") ;;
    compare) mapfile -t COMPREPLY < <(compgen -W "-o --over --draws --doubt --set --seed --kernel --quiet" -- "$current"; compgen -f -- "$current") ;;
    sensitivity) mapfile -t COMPREPLY < <(compgen -W "-o --by --top --doubt --set --seed --kernel --quiet" -- "$current"; compgen -f -- "$current") ;;
    check) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}
complete -F _iovsim iovsim
