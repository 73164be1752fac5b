"""What bfloat16 in the frozen stages does to the features, and to what a probe makes of them

    python -m benchmarks.precision DATA [--seeds 5] [--json FILE]

The features of every picture, once in float32 exactly as without a cache, once in bfloat16, taking turns: the seconds of a pass, and
how far the features move, relative to their size. For a scale: how far they move where each picture is shifted by one pixel. Then a
probe per seed, trained and tested on the one and on the other: the paired difference of their test accuracies.
"""

import time

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.machine import arguments, empty_cache, finish, interval, median
from tl_vs_scratch.answers.probes import fit_probe
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.networks.bodies import create_backbone
from tl_vs_scratch.studies.plan import default_sizes
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.features import task_features

PRECISIONS = 'float32', 'bfloat16'


def moved(a, b): return float(np.linalg.norm(a - b)/np.linalg.norm(a))


@torch.no_grad()
def shifted(task, size, pictures=64):
    "How far the features of some pictures move with a shift by one pixel"
    x = torch.cat([x for x, *_ in task.dls(augment=False, size=size, bs=pictures).valid])[:pictures].as_subclass(torch.Tensor)
    net = create_backbone().eval()
    return moved(net(x[..., :-1]).numpy(), net(x[..., 1:]).numpy())


def main():
    args = arguments(__doc__, seeds=5, rounds=3)
    task = load_task(args.data)
    size, y = args.size or task.medium.size, np.asarray(task.labels)
    task_features(task, size=size) # decodes the pictures
    seconds, features = {p: [] for p in PRECISIONS}, {}
    for _ in range(args.rounds):
        for p in PRECISIONS:
            with empty_cache(pictures=True), faster():
                start = time.perf_counter()
                features[p] = task_features(task, size=size, precision=p)
                seconds[p].append(time.perf_counter() - start)
    rows = []
    for n in default_sizes(task, 3):
        right = {p: [] for p in PRECISIONS}
        for seed in tqdm(range(args.seeds), desc=f'{n} labels', leave=False):
            for p in PRECISIONS:
                said = fit_probe(features[p], y, *task.subset(n, seed), task.test_idxs)
                right[p].append(float((said == y[task.test_idxs]).mean()))
        mean, ci = interval(np.subtract(right['bfloat16'], right['float32']))
        rows.append(dict(n=n, **{f'accuracy_{p}': np.mean(right[p]) for p in PRECISIONS}, difference=mean, difference_ci95=ci))
    seconds = {p: median(s) for p, s in seconds.items()}
    finish(args, dict(benchmark='precision', task=task.name, size=size, seeds=args.seeds, seconds=seconds, speedup=seconds['float32']/seconds['bfloat16'],
                      moved=moved(features['float32'], features['bfloat16']), moved_by_one_pixel=shifted(task, size), probes=rows))


if __name__ == '__main__': main()
