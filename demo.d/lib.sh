# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # the variables are for ./demo
#
# What the demo's steps share: words on the terminal, a directory to work in, measuring a command.

if [[ -t 1 ]]; then
    red=$'\e[31;1m' green=$'\e[32;1m' bold=$'\e[1m' plain=$'\e[0m'
else
    red="" green="" bold="" plain=""
fi

say() { echo "$*"; }
headline() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain"; }
fail() {
    printf '%sRED: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

work_parent() { echo "${CIUIC_DEMO_DIR:-${TMPDIR:-/var/tmp}}"; }

# What the demo needs of the machine, before it takes anybody's time. $1: GiB of disk.
check_machine() {
    local parent free
    parent=$(work_parent)
    [[ -d $parent && -w $parent ]] || fail "$parent cannot be written; set CIUIC_DEMO_DIR"
    case $(stat --file-system --format=%T "$parent") in
        tmpfs | ramfs) fail "$parent lies in memory, not on a disk; set CIUIC_DEMO_DIR" ;;
    esac
    free=$(df --output=avail --block-size=1G "$parent" | tail -n 1)
    [[ $free -ge $1 ]] || fail "$parent has $free GiB free, and $1 are needed; set CIUIC_DEMO_DIR"
    compgen -G "/usr/src/linux-source-*.tar.xz" >/dev/null ||
        fail "there is no kernel source in /usr/src; run without --no-install"
    # Opening is the test: some file systems say yes to access(2) and no to open(2).
    { : <>/dev/userfaultfd; } 2>/dev/null ||
        fail "/dev/userfaultfd cannot be opened; run as root, or give this user access to it"
}

make_work() {
    work=$(mktemp -d "$(work_parent)/ciuic-demo.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
}

clean_up() {
    kill_daemon
    end_limit
    rm -rf "$work"
}

# measure NAME COMMAND...: sets measured_seconds, measured_mib (the peak of the largest process, at
# least the ten or so of measure.py itself) and measured_status, and returns that status.
measure() {
    local name=$1
    shift
    measured_status=0
    python3 -I -S demo.d/measure.py "$work/$name.measure" "$@" || measured_status=$?
    read -r measured_seconds measured_mib <"$work/$name.measure"
    return "$measured_status"
}
