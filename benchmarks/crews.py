"""What a crew costs, and what a second worker brings

    python -m benchmarks.crews [--rounds 3] [--calls 200] [--backends loky,dask,ray] [--json FILE]

Three things per backend: seconds until its workers are there (until the first outcome); milliseconds that a call costs which does nothing (so that
anything else it does would come on top); and how many times sooner two workers end with eight calls of equal, pure arithmetic than one does,
alternately in one process, medians. The last cannot be above 2, and not above what else the machine's cores have to do allows.
"""

import argparse
import time
from functools import partial
from pathlib import Path

from benchmarks.machine import finish, median
from tl_vs_scratch.studies.crews import BACKENDS, crew_of, outcomes

CALLS, LOOPS = 8, 30_000_000 # of pure arithmetic; turns of the loop of one


def nothing(): pass


def work(loops):
    total = 0
    for k in range(loops): total += k & 3
    return total


def seconds_of(crew, call, many)->float:
    began, calls = time.perf_counter(), iter([call]*many)
    list(outcomes(lambda: next(calls, None), crew))
    return time.perf_counter() - began


def measured(backend, rounds, calls)->dict:
    "With crews that are there already, but for `start`"
    began = time.perf_counter()
    with crew_of(backend, 2) as two:
        seconds_of(two, nothing, 2)
        start = time.perf_counter() - began
        each = median([seconds_of(two, nothing, calls)/calls for _ in range(rounds)])
        both = []
        for _ in range(rounds):
            two.jobs = 1 # the same crew, of which one worker rests
            alone = seconds_of(two, partial(work, LOOPS), CALLS)
            two.jobs = 2
            both.append(alone/seconds_of(two, partial(work, LOOPS), CALLS))
    return dict(backend=backend, start_seconds=start, call_milliseconds=1000*each, two_against_one=median(both))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--calls', type=int, default=200)
    parser.add_argument('--backends', default=','.join(BACKENDS))
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    finish(args, dict(benchmark='crews', rows=[measured(backend, args.rounds, args.calls) for backend in args.backends.split(',')]))


if __name__ == '__main__': main()
