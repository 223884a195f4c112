#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of the emulated machine: makes a system of what is there, runs the cases that
# the kernel's command line names, says how each ended, and switches off.
export PATH=/usr/sbin:/usr/bin:/bin:/sbin
build=$(/bin/busybox cat /lab/build)
bin=$build/bin
export GTEST_COLOR=no GTEST_BRIEF=1 TEST_TMPDIR=/var/tmp

# Emulated: what takes a second elsewhere takes half a minute here.
limit=900

case_rung() { # the kernel is the one that is meant
    "$bin/unit_device_host" --gtest_filter='Rung.*' && "$bin/ciuic-swapd" --version
}

case_unit() { "$bin/unit_device_host"; }

case_contract() { "$bin/contract_tests" --gtest_filter='*DeviceContract*/*ed*'; }

case_io() { "$bin/contract_tests" --gtest_filter='*Io*'; }

case_gate() { CIUIC_GATE_WRITES=100000 "$bin/lost_write_tests"; }

case_daemon() { "$bin/system_tests" --gtest_filter='*DaemonSmokeTest*'; }

# An unmodified program in a quarter of its memory, by a daemon whose I/O is $1.
run_pattern() {
    "$bin/ciuic-swapd" --socket /tmp/swapd --budget 16MiB --store /var/tmp --store-size 160MiB \
        --io "$1" --report /tmp/report.json &
    daemon=$!
    until [ -S /tmp/swapd ]; do kill -0 $daemon || return; done
    "$bin/ciuic" run --socket /tmp/swapd --strict -- "$bin/program_pattern" 64 3
    status=$?
    kill $daemon
    wait $daemon || return
    cat /tmp/report.json
    [ $status = 0 ] && reports "\"io\": *\"$1\"" && reports '"rung": *"base"' &&
        reports '"evictions": *[1-9]' && reports '"chunks_lost": *0' && reports '"violations": *0'
}

reports() { grep -Eq "$1" /tmp/report.json || { echo "not in the report: $1"; return 1; }; }

case_run_uring() { run_pattern io_uring; }

case_run_threads() { run_pattern threads; }

# With a daemon of its own, as users start it.
case_run_private() {
    "$bin/ciuic" run --budget 16MiB --total 160MiB --swap-dir /var/tmp --summary --strict -- \
        "$bin/program_pattern" 64 2
}

case_faults() { "$bin/block_fault_tests" --gtest_filter='*FaultTest*'; }

case_fence() { "$bin/block_fault_tests" --gtest_filter='FenceTest*'; }

prepare() {
    busybox --install -s /bin 2>/dev/null || /bin/busybox --install -s /bin
    mkdir -p /proc /sys /dev /tmp /run /var/tmp /etc
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    mkdir -p /dev/shm /dev/pts
    mount -t tmpfs tmp /tmp
    mount -t tmpfs shm /dev/shm
    chmod 1777 /tmp
    echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd
    echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>/etc/passwd
    ip link set lo up
    for module in /modules/*; do insmod "$module" || echo "insmod $module failed"; done
    /usr/sbin/mke2fs -q -t ext4 -E lazy_itable_init=1 /dev/vda
    mount -t ext4 /dev/vda /var/tmp
    chmod 1777 /var/tmp
    echo 48 >/proc/sys/vm/nr_hugepages
    echo "LAB kernel $(uname -r)"
}

run_case() {
    echo "LAB begin $1"
    began=$(date +%s)
    ("case_$1") &
    child=$!
    (sleep $limit && kill -9 $child 2>/dev/null) &
    watch=$!
    wait $child
    status=$?
    kill $watch 2>/dev/null
    echo "LAB took $1 $(($(date +%s) - began))"
    echo "LAB end $1 $status"
}

/bin/busybox mkdir -p /bin
prepare
cases=$(sed -n 's/.*lab=\([^ ]*\).*/\1/p' /proc/cmdline | tr ',' ' ')
for name in $cases; do run_case "$name"; done
sync
poweroff -f
