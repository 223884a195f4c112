# SPDX-License-Identifier: Apache-2.0
"""Reads a report of `ciuic run`: prints what was resident, moved and waited for, and fails unless
it shows that the job's large memory was managed and did not fit.

usage: check_report.py REPORT
"""
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
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    print(describe(report))
    found = objections(report)
    for objection in found:
        print(f"  RED: {objection}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
