"""Time two commands in pairs and print the ratio of their medians.

usage: pairs.py ROUNDS LIMIT PEAK NAME OURS THEIRS [CLEANUP]

Each round runs OURS and then THEIRS (both for sh), and CLEANUP outside the
time. Prints one line of a Markdown table, and fails when OURS / THEIRS is
above LIMIT or the largest process of OURS held more than PEAK MiB (VmHWM).
"""

import os
import statistics
import subprocess
import sys
import time


def run(command):
    begin = time.monotonic()
    child = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    if status:
        sys.exit(f"{command}: failed")
    return seconds, usage.ru_maxrss / 1024


def main():
    rounds, limit, peak, name, ours, theirs = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:7]
    cleanup = sys.argv[7] if len(sys.argv) > 7 else "true"
    times, memory = ([], []), 0
    for _ in range(rounds):
        for side, command in enumerate((ours, theirs)):
            seconds, held = run(command)
            times[side].append(seconds)
            if side == 0:
                memory = max(memory, held)
            run(cleanup)
    ratio = statistics.median(a / b for a, b in zip(*times))
    a, b = (statistics.median(t) for t in times)
    good = ratio <= limit and memory <= peak
    print(f"| {name} | {a:.2f} s | {b:.2f} s | {ratio:.3f} | {limit:.3f} | {memory:.0f} MiB | {'yes' if good else 'NO'} |", flush=True)
    sys.exit(0 if good else 1)


main()
