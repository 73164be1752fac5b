"""What large studies and large data take: seconds, memory, and room on the disk

    python -m benchmarks.load [--trials 10000] [--pictures 100000] [--rows 1000000] [--tests 50000] [--json FILE]

Nothing is trained: a stub stands in for the engine and gives drawn outputs, with checkpoints as a training leaves them. All else is real:
- study: so many trials through `Study.run` (store, scheduler), then `summary()` and `report()`; half and all of them, so that one sees what
  grows faster than the trials; and a part of them by two processes;
- pictures: so many small files in class folders, and fewer large ones: `from_folder`, the fingerprint, `subset`;
- table: so many rows of short texts: `from_csv`, the fingerprint, `subset`;
- classes: a few trials on a large test set with 1,000 classes: what a trial takes on the disk, and what the summary takes of memory.
Every part runs in a process of its own. Memory is the peak of that process above the level before all work; seconds are of the clock on the wall,
and of the processors where they say `cpu`. Needs Linux, 4 GB of memory and 5 GB on the disk; a quarter of an hour.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.machine import finish
from tl_vs_scratch.answers import shown # noqa: F401 - gives `summary` to studies
from tl_vs_scratch.studies.study import Study
from tl_vs_scratch.tasks.frames import from_csv
from tl_vs_scratch.tasks.pictures import Pictures
from tl_vs_scratch.tasks.sources import from_folder
from tl_vs_scratch.tasks.task import Task
from tl_vs_scratch.training import trial as engine
from tl_vs_scratch.training.paths import Checkpoint, next_checkpoint
from tl_vs_scratch.training.recipes import STRATEGIES, Trial, score_columns, targets_of

LOOKS = 10 # checkpoints of a trial
SIZES = 10 # numbers of labels of the study
WORDS = 'a the cat dog owl eats sees likes small large green red today never often again house tree river stone'.split()


# ---- what is measured ----

class Measured:
    "Seconds and peak memory of the work in each `part`"
    def __init__(self): self.found, self.level = {}, psutil.Process().memory_info().rss
    @contextmanager
    def part(self, name):
        Path('/proc/self/clear_refs').write_text('5') # Linux: the peak begins anew
        began, worked = time.perf_counter(), time.process_time()
        yield
        self.found |= {f'seconds_{name}': time.perf_counter() - began, f'seconds_cpu_{name}': time.process_time() - worked}
        status = Path('/proc/self/status').read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith('VmHWM'))
        self.found[f'memory_mb_{name}'] = (peak*1024 - self.level)/1e6


# ---- the stub ----

def outputs_of(rng, targets, n_classes, share):
    "Class scores of which about a share is right"
    outputs = rng.standard_normal((len(targets), n_classes), np.float32)
    outputs[np.arange(len(targets)), targets] += 4*share
    return outputs


def run_stub(task, entrant, n, seed, settings, keep=None, stop=None, cbs=()):
    "In place of `run_trial`: outputs that get better from checkpoint to checkpoint"
    rng, step, path = np.random.default_rng([n, seed, *entrant.label.encode()]), 0, []
    targets, skill = targets_of(task, n, seed), rng.uniform(.4, .6) + .1*np.log10(n) - .1*(entrant.strategy.start == 'random')
    said = {part: outputs_of(rng, y, task.n_classes, skill) for part, y in targets.items()}
    for look in range(LOOKS):
        step, share = next_checkpoint(step), (look + 1)/LOOKS
        said_here = dict(valid=np.float32(share)*said['valid'], test=np.float32(share)*said['test'][task.watched])
        path.append(Checkpoint(step, .1*step, 1e9*step, 1/step, said_here, before=20))
    row = engine.trial_id(task, entrant, n, seed, settings) | score_columns(task.score, said, targets) | dict(
        lr=1e-3, seconds=.1*step, seconds_wall=.1*step, seconds_tuning=0., steps=step, flops=1e9*step, trainable_params=10**6, peak_memory_mb=100.,
        device='cpu', threads=1, precision='float32', use_seconds_per_1000=1., weights_mb=10., status='done', error='')
    return Trial(row, path, said)


class Stubbed(Task):
    "A task whose examples cannot be read; a process that gets it trains by the stub"
    def __setstate__(self, state):
        self.__dict__.update(state)
        engine.run_trial = run_stub


def stubbed(n_test, n_labelled, n_classes):
    "Such a task, for this process, too"
    count = n_test + n_labelled
    ids = [f'{i:07d}.png' for i in range(count)]
    engine.run_trial = run_stub
    picture = np.zeros((8, 8), np.uint8)
    return Stubbed('stubbed', [picture]*count, ids, np.arange(count) % n_classes, [f'class {k}' for k in range(n_classes)],
                   np.arange(count) < n_test, ids, Pictures(32))


# ---- the parts ----

def study_part(trials, jobs):
    "Many trials: 10 strategies, 10 sizes, so many seeds"
    labels, measured = [*STRATEGIES, 'scratch:convnet'], Measured()
    sizes, seeds = [12*k for k in range(1, SIZES + 1)], max(1, round(trials/SIZES/len(labels)))
    with tempfile.TemporaryDirectory() as folder:
        study = Study(stubbed(200, max(sizes), 4), labels, sizes, seeds, out=folder)
        with measured.part('run'): study.run(jobs=jobs, progress=True)
        assert study.trained == len(study.grid) and study.store.standing(set(study.digests.values())).keys() == {p.key for p in study.grid}
        with measured.part('resumed'): study.run(jobs=jobs, progress=False)
        assert not study.trained
        with measured.part('summary'): summary = study.summary()
        with measured.part('report'): study.report()
        return measured.found | dict(trials=len(study.grid), jobs=jobs, advised=summary.advice.strategy, trials_per_second=len(study.grid)/measured.found['seconds_run'],
                                     database_mb=study.store.path.stat().st_size/1e6)


def classes_part(tests, trials):
    "Few trials on a large test set with 1,000 classes"
    measured = Measured()
    with tempfile.TemporaryDirectory() as folder:
        task = stubbed(tests, 5000, 1000)
        study = Study(task, ['linear_probe', 'scratch'], [4000], max(1, trials//2), out=folder)
        with measured.part('run'): study.run(jobs=1, progress=False)
        with measured.part('summary'): study.summary()
        with measured.part('report'): study.report()
        return measured.found | dict(tests=tests, classes=1000, trials=len(study.grid), database_mb=study.store.path.stat().st_size/1e6)


def cut(task, measured):
    "Split already; hashed, and drawn from"
    with measured.part('fingerprint'): task.fingerprint
    with measured.part('subset'): task.subset(None, 0)
    return measured.found | dict(examples=len(task), labelled=task.labels_available, tests=len(task.test_idxs), left_out=len(task.dropped))


def pictures_part(count, side):
    "So many pictures of so many pixels a side"
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        for k in range(count):
            place = Path(folder)/f'class {k % 10}'
            place.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(place/f'{k:06d}.png', compress_level=1)
        bytes_on_disk, measured = sum(p.stat().st_size for p in Path(folder).rglob('*.png')), Measured()
        with measured.part('listed'): task = from_folder(folder)
        return cut(task, measured) | dict(side=side, pictures_mb=bytes_on_disk/1e6)


def table_part(rows):
    "So many rows of 3 to 12 words and a number, in 1,000 classes"
    with tempfile.TemporaryDirectory() as folder:
        path, draw = Path(folder)/'texts.csv', random.Random(0)
        with open(path, 'w') as file:
            file.write('text,label\n')
            for k in range(rows): file.write(f"{' '.join(draw.choices(WORDS, k=draw.randint(3, 12)))} {k},class {k % 1000}\n")
        size, measured = path.stat().st_size, Measured()
        with measured.part('listed'): task = from_csv(path)
        return cut(task, measured) | dict(table_mb=size/1e6)


PARTS = dict(study=study_part, pictures=pictures_part, table=table_part, classes=classes_part)


def in_process(part, *numbers):
    "A part in a process of its own"
    out = subprocess.run([sys.executable, '-m', 'benchmarks.load', '--child', part, *map(str, numbers)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = json.loads(out.splitlines()[-1])
    print(part, *numbers, json.dumps(found), flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in dict(trials=10_000, pictures=100_000, rows=1_000_000, tests=50_000).items():
        parser.add_argument(f'--{name}', type=int, default=default, help='default: %(default)s')
    parser.add_argument('--json', type=Path, help='write the figures here')
    parser.add_argument('--child', nargs='+', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child: return print(json.dumps(PARTS[args.child[0]](*map(int, args.child[1:])), default=float))
    found = dict(
        study=[in_process('study', trials, jobs) for trials, jobs in ((args.trials//2, 1), (args.trials, 1), (args.trials//10, 2))],
        pictures=[in_process('pictures', args.pictures//100*share, side) for share, side in ((50, 16), (100, 16), (2, 16), (2, 512))],
        table=[in_process('table', rows) for rows in (args.rows//2, args.rows)],
        classes=[in_process('classes', args.tests, trials) for trials in (4, 8)])
    finish(args, dict(benchmark='load', **found))


if __name__ == '__main__': main()
