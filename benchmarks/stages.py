"""Does a linear probe of all stages know more than one of the last stage?

    python -m benchmarks.stages DATA [--sizes 32,64,128] [--seeds 10] [--labels 60,200] [--json FILE]

Both probes are fitted to their end on the features of the same frozen pretrained body, with the same labelled
examples; differences are paired over seeds and test examples. A plain model without a network stands beside them.
"""
import numpy as np
from tqdm import tqdm

from benchmarks.machine import arguments, finish
from tl_vs_scratch.answers.intervals import paired_difference, score_interval
from tl_vs_scratch.answers.probes import probe_curve
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import Settings
from tl_vs_scratch.training.rivals import run_rival


def plain(task, n, seeds, size):
    "Which test examples the plain model gets right, (seeds, examples)"
    rival, targets = task.medium.plain_rival, task.labels[task.test_idxs]
    said = [run_rival(task, rival, n, seed, Settings(size=size)).outputs['test'].argmax(1) for seed in range(seeds)]
    return np.stack([guess == targets for guess in said]).astype(float)


def difference(a, b):
    mean, ends = paired_difference(a, b)
    return dict(mean=float(mean), ci95=[float(end) for end in ends])


def measured(task, size, sizes, seeds):
    "A row per number of labels"
    probes = {name: probe_curve(task, sizes, seeds, size=size, all_stages=name == 'all', progress=False).values for name in ('last', 'all')}
    for n in sizes:
        last, both, without = probes['last'][n], probes['all'][n], plain(task, n, seeds, size)
        scores = {name: float(score_interval(values)[0]) for name, values in dict(last=last, all=both, plain=without).items()}
        yield dict(task=task.name, size=size or task.medium.size, n=n, scores=scores, over_last=difference(both, last),
                   over_plain=difference(both, without), last_over_plain=difference(last, without))


def main():
    args = arguments(__doc__, seeds=10, labels='60,200', sizes='32,64,128')
    task = load_task(args.data)
    sizes = [args.size] if args.size else [int(size) for size in args.sizes.split(',')]
    if task.medium.name != 'pictures': sizes = [None]
    labels = [n for n in map(int, args.labels.split(',')) if task.min_labels <= n <= task.labels_available]
    rows = [row for size in tqdm(sizes, leave=False) for row in measured(task, size, labels, args.seeds)]
    finish(args, dict(benchmark='stages', seeds=args.seeds, rows=rows))


if __name__ == '__main__': main()
