# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the variables are for ./demo
#
# A memory cgroup around a command, of version 1 or 2, without swap: what the command and all it
# starts take together is bounded by the kernel, whatever Ciuic says.

limit_group=""
limit_refusal=""
in_limit=()  # in front of a command: runs it inside the group, if there is one

# limit_memory MIB: false, with the reason in limit_refusal, where the kernel or the rights say no.
limit_memory() {
    local bytes=$(($1 * 1024 * 1024)) parent
    if [[ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ]]; then
        limit_group=/sys/fs/cgroup/memory/ciuic-demo.$$
        make_group || return 1
        set_limit memory.limit_in_bytes "$bytes" || return 1
        if [[ -f $limit_group/memory.memsw.limit_in_bytes ]]; then
            set_limit memory.memsw.limit_in_bytes "$bytes" || return 1
        fi
        return 0
    fi
    for parent in /sys/fs/cgroup /sys/fs/cgroup/unified; do
        grep -qw memory "$parent/cgroup.controllers" 2>/dev/null || continue
        { echo +memory >"$parent/cgroup.subtree_control"; } 2>/dev/null || true
        limit_group=$parent/ciuic-demo.$$
        make_group || return 1
        set_limit memory.max "$bytes" || return 1
        if [[ -f $limit_group/memory.swap.max ]]; then set_limit memory.swap.max 0; fi
        return 0
    done
    refuse_limit "there is no memory controller"
}

make_group() {
    mkdir "$limit_group" 2>/dev/null || refuse_limit "no right to make a cgroup" || return 1
    # shellcheck disable=SC2016
    in_limit=(bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$limit_group")
}

set_limit() {
    { echo "$2" >"$limit_group/$1"; } 2>/dev/null || refuse_limit "$1 cannot be written"
}

refuse_limit() {
    end_limit
    limit_refusal=$1
    return 1
}

limit_peak() {
    local file
    if [[ -z $limit_group ]]; then
        echo "not measured by the kernel"
        return
    fi
    for file in memory.max_usage_in_bytes memory.peak; do
        if [[ -f $limit_group/$file ]]; then
            echo "peak of all together $(($(<"$limit_group/$file") / 1024 / 1024)) MiB," \
                "file cache included"
            return
        fi
    done
    echo "held by the kernel (it does not tell the peak)"
}

limit_was_hit() {
    [[ -n $limit_group ]] &&
        grep -qsE '^oom_kill [1-9]' "$limit_group/memory.oom_control" "$limit_group/memory.events"
}

end_limit() {
    if [[ -n $limit_group ]]; then rmdir "$limit_group" 2>/dev/null || true; fi
    limit_group=""
    in_limit=()
}
