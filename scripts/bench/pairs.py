"""Time two commands in pairs and print the ratio of their medians.

usage: pairs.py ROUNDS LIMIT NAME OURS THEIRS [CLEANUP]

Each round runs OURS and then THEIRS (both for sh), and CLEANUP outside the
time. Prints one line of a Markdown table, and fails when OURS / THEIRS is
above LIMIT. The last line that OURS prints is its peak memory in kB.
"""

import statistics
import subprocess
import sys
import time


def run(command):
    begin = time.monotonic()
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True)
    return time.monotonic() - begin, done.stdout


def main():
    rounds, limit, name, ours, theirs = int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:6]
    cleanup = sys.argv[6] if len(sys.argv) > 6 else "true"
    times, memory = ([], []), 0
    for _ in range(rounds):
        for side, command in enumerate((ours, theirs)):
            seconds, output = run(command)
            times[side].append(seconds)
            if side == 0:
                memory = max(memory, int(output.split()[-1]))
            run(cleanup)
    a, b = (statistics.median(t) for t in times)
    good = a / b <= limit
    print(f"| {name} | {a:.2f} s | {b:.2f} s | {a / b:.3f} | {limit:.3f} | {memory / 1024:.0f} MB | {'yes' if good else 'NO'} |")
    sys.exit(0 if good and memory <= 64 * 1024 else 1)


main()
