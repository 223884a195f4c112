# SPDX-License-Identifier: Apache-2.0
"""Reads a daemon's report: prints what was resident, moved and waited for, and fails unless
it shows that the job's large memory was managed and did not fit.

usage: check_report.py [--user UID] REPORT      with --user: the memory was that user's
"""
import argparse
import json
import sys


def mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB"


def describe(report: dict) -> str:
    total = report["total"]
    chunk = report["device"]["chunk_bytes"]
    resident = min(total["frames_peak"], report["device"]["frames"]) * chunk
    return "\n".join((
        f"  managed   {total['large_served']} of {total['large_requests']} large allocations, "
        f"{mib(total['large_bytes_served'])}",
        f"  resident  at most {mib(resident)} of {mib(total['chunks_promised_peak'] * chunk)} "
        f"({report['device']['frame_kind']})",
        f"  moved     memory -> disk {mib(total['store_bytes_written'])}, disk -> memory "
        f"{mib(total['store_bytes_read'])}; {total['evictions']} evictions, "
        f"{total['evictions_clean']} of them without a write",
        f"  stalled   {total['stall_ns'] / 1e9:.1f} s in {total['faults']} faults, "
        f"of {report['wall_seconds']:.1f} s",
    ))


def objections(report: dict) -> list:
    total = report["total"]
    found = []
    if total["large_requests"] == 0:
        found.append("no large allocation reached Ciuic")
    elif total["large_served"] < 0.9 * total["large_requests"]:
        found.append(f"only {total['large_served']} of {total['large_requests']} large allocations "
                     "were managed")
    for key in ("evictions", "store_bytes_written", "store_bytes_read"):
        if total[key] == 0:
            found.append(f"{key} is 0: nothing was paged")
    if total["chunks_lost"] != 0:
        found.append(f"{total['chunks_lost']} chunks were lost")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user", type=int)
    parser.add_argument("report")
    wanted = parser.parse_args()
    with open(wanted.report, encoding="utf-8") as file:
        report = json.load(file)
    print(describe(report))
    found = objections(report)
    users = {session["uid"] for session in report["sessions"]}
    if wanted.user is not None and users != {wanted.user}:
        found.append(f"the sessions were those of users {sorted(users)}, not of {wanted.user}")
    for objection in found:
        print(f"  RED: {objection}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
