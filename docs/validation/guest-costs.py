# SPDX-License-Identifier: Apache-2.0
"""Instructions a real Linux guest executes between two accesses, from a recorded trace.

Usage: /usr/bin/python3 docs/validation/guest-costs.py TRACE.csv.zst PHASE [MINIMUM]

Prints, for each pair of consecutive events of the processor in the phase (accesses, interrupts, HLT,
WRMSR), how often it occurs and the quartiles of the instruction count between them. The guest's
cost table (configs/costs/parts/guest.yaml) cites these medians.
"""
import collections
import subprocess
import sys

NAMES = {
    "febc0008": "STATUS", "febc00c0": "ICR", "febc00c4": "ITR", "febc00d0": "IMS", "febc00d8": "IMC",
    "febc2818": "RDT", "febc3818": "TDT", "fee000b0": "EOI", "fee00190": "TMR", "fee00380": "TMICT",
    "febfb004": "NOTIFY1", "febfb000": "NOTIFY0",
}


def events(path, phase):
    text = subprocess.run(["zstd", "-dqc", path], check=True, capture_output=True, text=True).stdout
    inside = False
    for line in text.splitlines():
        if line.startswith(("#", "icount")):
            continue
        icount, _, kind, direction, address, _, value, region = line.split(",", 7)
        if kind == "note":
            inside = inside and region != "END_" + phase or region == "BEGIN_" + phase
        if not inside or kind in ("gsi", "msi", "msi_ir", "dev", "note", "dma_mmio"):
            continue
        if kind == "irq":
            name = "irq " + value
        elif kind == "ins":
            name = region
        elif region == "serial":
            name = "serial"
        else:
            name = ("R " if direction == "r" else "W ") + NAMES.get(address, address)
        yield int(icount), name


def main():
    path, phase = sys.argv[1:3]
    minimum = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    gaps = collections.defaultdict(list)
    last = None
    for icount, name in events(path, phase):
        if last is not None:
            gaps[(last[1], name)].append(icount - last[0])
        last = (icount, name)
    print(f"{'from':>12} {'to':<12} {'count':>6} {'25 %':>7} {'median':>7} {'75 %':>7}")
    for (before, after), counts in sorted(gaps.items(), key=lambda item: -len(item[1])):
        if len(counts) < minimum:
            continue
        counts.sort()
        n = len(counts)
        print(f"{before:>12} {after:<12} {n:>6} {counts[n // 4]:>7} {counts[n // 2]:>7} {counts[3 * n // 4]:>7}")


if __name__ == "__main__":
    main()
