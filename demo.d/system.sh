# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the variables are for ./demo
#
# ./demo --system: the jobs as a user without rights, their memory managed by a daemon that root
# has started. What they run is copied to where that user can read it, and the numbers come from
# the daemon's report.

as_user=()  # in front of a command: runs it as that user
user_id=""
daemon_pid=""

# The user behind sudo, else nobody.
choose_user() {
    [[ $(id -u) == 0 ]] || fail "--system starts a daemon as root: run it with sudo"
    user_id=${SUDO_UID:-65534}
    if [[ $user_id == 0 ]]; then user_id=65534; fi
    as_user=(setpriv "--reuid=$user_id" "--regid=${SUDO_GID:-65534}" --clear-groups --)
}

# Says whether the user could have done without the daemon.
prepare_for_user() {
    mkdir -p "$work/installed/bin" "$work/installed/lib/ciuic"
    cp "$build/bin/ciuic" "$build/bin/ciuic-swapd" "$work/installed/bin"
    cp "$build/lib/libciuic_run.so" "$work/installed/lib/ciuic"
    chmod -R a+rX "$work"
    if "${as_user[@]}" sh -c ': <>/dev/userfaultfd' 2>/dev/null; then
        say "user $user_id could open /dev/userfaultfd itself"
    else
        say "user $user_id has no right to /dev/userfaultfd: the daemon hands its descriptor over"
    fi
}

give_to_user() { chown "$user_id" "$@"; }

# start_daemon BUDGET_MIB TOTAL_MIB FRAMES: inside the memory limit, if there is one.
start_daemon() {
    local ready=""
    mkfifo "$work/ready"
    "${in_limit[@]}" "$work/installed/bin/ciuic-swapd" --socket "$work/swapd.sock" \
        --socket-mode 0666 --budget "$1MiB" --store-size "$2MiB" --frames "$3" --store "$work" \
        --report "$work/report.json" --ready-fd 9 9>"$work/ready" &
    daemon_pid=$!
    read -r -n 1 ready <"$work/ready" || true
    rm "$work/ready"
    [[ $ready == R ]] || fail "the daemon could not start (the line above says why)"
}

# In order: the report is there afterwards.
stop_daemon() {
    kill "$daemon_pid"
    wait "$daemon_pid" || fail "the daemon ended with code $?"
    daemon_pid=""
}

kill_daemon() {
    # In an EXIT trap, a plain `return` would return what the script ends with, and end the trap.
    if [[ -z $daemon_pid ]]; then return 0; fi
    kill -KILL "$daemon_pid" 2>/dev/null || true
    wait "$daemon_pid" 2>/dev/null || true
    daemon_pid=""
}
