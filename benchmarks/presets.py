"""What a preset costs as a user gets it: the command, in an empty folder, with an empty cache

    python -m benchmarks.presets DATA [--presets quick,standard] [--keep FOLDER] [--json FILE]

The wall seconds of `tl-vs-scratch compare` at the task's own picture size, where they go (the seconds of each strategy's trials as a
share of what all cores had; the rest is imports, waiting, the report), and the most memory that the command and its workers held.
`--keep` moves the studies there (`FOLDER/quick`, ...).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil

from benchmarks.machine import arguments, finish
from tl_vs_scratch.tasks.sources import load_task


def memory(pid):
    "Bytes that a process and its children hold, shared pages counted once"
    total = 0
    try: family = [(top := psutil.Process(pid)), *top.children(recursive=True)]
    except psutil.NoSuchProcess: return 0
    for p in family:
        try: total += p.memory_full_info().pss
        except (psutil.Error, AttributeError): pass # ended just now; or a system that does not tell
    return total


def run(data, preset, keep):
    "One command from start to end"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, '-c', 'from tl_vs_scratch.cli import main; main()', 'compare', data, '--preset', preset, '--out', 'study']
        start, most = time.perf_counter(), 0
        with open(Path(folder)/'log', 'w') as log:
            process = subprocess.Popen(command, cwd=folder, env=os.environ | dict(TLVS_CACHE_DIR=f'{folder}/cache'), stdout=log, stderr=log)
            while process.poll() is None:
                most = max(most, memory(process.pid))
                time.sleep(.5)
        seconds = time.perf_counter() - start
        if process.returncode: sys.exit((Path(folder)/'log').read_text()[-2000:])
        rows = pd.read_csv(Path(folder)/'study'/'results.csv')
        if keep: shutil.move(f'{folder}/study', Path(keep)/preset)
    shares = (rows.groupby('strategy').seconds_wall.sum()/os.cpu_count()/seconds).to_dict()
    return dict(preset=preset, trials=len(rows), seconds=seconds, shares=shares | dict(rest=1 - sum(shares.values())), peak_memory_mb=most/1e6)


def main():
    args = arguments(__doc__, presets='quick,standard', keep='')
    data, found = str(Path(args.data).resolve()) if Path(args.data).is_dir() else args.data, []
    for preset in args.presets.split(','):
        found.append(run(data, preset, args.keep))
        print('{preset}: {trials} trials, {seconds:.0f} s, at most {peak_memory_mb:.0f} MB; '.format(**found[-1])
              + ', '.join(f'{k} {v:.0%}' for k, v in found[-1]['shares'].items()), flush=True)
    finish(args, dict(benchmark='presets', task=load_task(args.data).name, presets=found))


if __name__ == '__main__': main()
