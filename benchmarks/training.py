"""What bfloat16 in training steps does to the accuracy, and to the time

    python -m benchmarks.training DATA [--strategies scratch,fine_tune] [--seeds 6] [--json FILE]

The same trials with all labels, once in float32 and once in bfloat16 (weights, their updates and BatchNorm's statistics are float32
in both): same subset, same random weights, same batches. Paired over seeds, the differences in test accuracy and the ratio of the
seconds; one trial per core at a time, both kinds among them.
"""

import os

import numpy as np
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.machine import arguments, empty_cache, finish, interval, median
from tl_vs_scratch.fast.memory import give_memory_back, keep_freed_memory
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import Settings
from tl_vs_scratch.training.trial import run_trial

PRECISIONS = 'float32', 'bfloat16'


def trial(data, size, strategy, precision, seed, steps):
    "What it was, its test accuracy and its seconds"
    torch.set_num_threads(1)
    keep_freed_memory()
    task, settings = load_task(data), Settings(size=size, max_steps=steps, precision=precision)
    with faster(): row = run_trial(task, strategy, task.labels_available, seed, settings=settings).row
    give_memory_back() # else joblib takes the worker for one that leaks
    return strategy, precision, seed, row['test_score'], row['seconds']


def main():
    args = arguments(__doc__, strategies='scratch,fine_tune', seeds=6, steps=450)
    task, strategies = load_task(args.data), args.strategies.split(',')
    with empty_cache():
        calls = [delayed(trial)(args.data, args.size, s, p, seed, args.steps) for s in strategies for seed in range(args.seeds) for p in PRECISIONS]
        rows = {o[:3]: o[3:] for o in tqdm(Parallel(os.cpu_count(), return_as='generator')(calls), total=len(calls))}
    found = []
    for s in strategies:
        right, seconds = ({p: [rows[s, p, seed][k] for seed in range(args.seeds)] for p in PRECISIONS} for k in (0, 1))
        mean, ci = interval(np.subtract(right['bfloat16'], right['float32']))
        found.append(dict(strategy=s, **{f'accuracy_{p}': np.mean(right[p]) for p in PRECISIONS}, difference=mean, difference_ci95=ci,
                          speedup=median(np.divide(seconds['float32'], seconds['bfloat16']))))
    finish(args, dict(benchmark='training', task=task.name, size=args.size or task.medium.size, labels=task.labels_available, seeds=args.seeds,
                      steps=args.steps, strategies=found))


if __name__ == '__main__': main()
