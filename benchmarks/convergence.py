"""Has a strategy as many steps as it needs?

    python -m benchmarks.convergence DATA [--strategies scratch,scratch:convnet] [--factors .333,1] [--sizes 50,309] [--seeds 4] [--out FOLDER] [--json FILE]

The same trials with other numbers of steps than the strategy has (`--factors` of them), each a training with a schedule of its own, by
default at the fewest labels of a standard study and at all of them. Differences in test accuracy from the longest are paired over seeds.
With the folder of a standard study as `--out`, the trials that it holds are not trained again.
"""

import numpy as np

from benchmarks.machine import arguments, finish, interval
from tl_vs_scratch.answers.shown import compare
from tl_vs_scratch.studies.plan import default_sizes
from tl_vs_scratch.tasks.sources import load_task


def main():
    args = arguments(__doc__, strategies='scratch,scratch:convnet', factors='.333,1', sizes='', seeds=4, out='')
    task, factors = load_task(args.data), sorted(map(float, args.factors.split(',')))
    sizes = [int(n) for n in args.sizes.split(',')] if args.sizes else [default_sizes(task, 5)[k] for k in (0, -1)]
    runs = {f: compare(task, sizes, args.seeds, args.strategies.split(','), 'standard', out=args.out or f'runs/convergence-{task.name}',
                       size=args.size, steps=f).results.set_index(['strategy', 'n', 'seed']).sort_index() for f in factors}
    rows = []
    for strategy, n in runs[factors[-1]].index.droplevel('seed').unique():
        for factor, found in runs.items():
            there = found.loc[strategy, n]
            rows.append(dict(strategy=strategy, n=n, factor=factor, steps=int(there.steps.max()), accuracy=there.test_score.mean(),
                             train_accuracy=there.train_score.mean(), seconds=there.seconds.median()))
            if factor == factors[-1]: continue
            mean, ci = interval(np.subtract(there.test_score, runs[factors[-1]].loc[strategy, n].test_score))
            rows[-1] |= dict(difference=mean, difference_ci95=ci)
    finish(args, dict(benchmark='convergence', task=task.name, size=args.size or task.medium.size, seeds=args.seeds, rows=rows))


if __name__ == '__main__': main()
