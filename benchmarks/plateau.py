"""How soon does transfer pass what training from scratch ends at?

    python -m benchmarks.plateau DATA_FOLDER [--seeds 4] [--steps 900] [--transfer lp_ft] [--every 10] [--json FILE]

Scratch trains with all labels for each number of `--steps`, a schedule of its own each time. It is taken to have converged where the
longest ends. Its plateau is the first evaluation, in whichever schedule that comes soonest, with a validation accuracy within one
standard error of that: so scratch is given the best schedule for nothing. Transfer is one strategy, named beforehand and as long as it
is by default, in the cold; it has passed at its first evaluation that is above where scratch's longest ends. There is an evaluation
`--every` so many steps; both clocks stand meanwhile and while pictures are decoded. Both sides have their default learning rates; time
for finding these is added to neither.
"""

from dataclasses import dataclass, replace

import numpy as np
from fastai.callback.core import Callback
from fastai.metrics import accuracy
from scipy import stats

from benchmarks.machine import arguments, finish
from tl_vs_scratch.answers.shown import compare
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import STRATEGIES, OneCycle
from tl_vs_scratch.training.trial import Trace


class Accuracies(Callback):
    "Notes the validation accuracy in the training's trace"
    order = Trace.order + 1
    def after_epoch(self):
        trace = next(cb for cb in self.learn.cbs if isinstance(cb, Trace))
        trace.rows[-1]['valid_accuracy'] = float(self.recorder.values[-1][-1])


@dataclass(frozen=True)
class Watched(OneCycle):
    "The usual schedule, with the accuracy beside the loss"
    def callbacks(self): return [Accuracies()]
    def fit(self, learn, epochs, lrs, cbs):
        learn.metrics = accuracy
        super().fit(learn, epochs, lrs, cbs)


def watched(strategy):
    return replace(strategy, phases=tuple(replace(p, schedule=Watched()) for p in strategy.phases))


def first(trace, goal):
    "Seconds until an evaluation was this accurate"
    return next((r['seconds'] for r in trace if r['valid_accuracy'] >= goal), None)


def main():
    args = arguments(__doc__, seeds=4, steps='900', transfer='lp_ft', every=10, bs=32, out='')
    task = load_task(args.data)
    n, steps = task.labels_available, sorted(map(int, args.steps.split(',')))
    batches = len(task.subset(n)[0])/args.bs
    def trials(strategy):
        evaluations = max(1, sum(p.length(batches) for p in strategy.phases)//args.every)
        return compare(task, sizes=[n], seeds=args.seeds, strategies=[strategy], preset='standard', bs=args.bs, evaluations=evaluations,
                       size=args.size, out=args.out or f'runs/plateau-{task.name}').trials()
    scratch, transfer = watched(STRATEGIES['scratch']), watched(STRATEGIES[args.transfer])
    scratches = [trials(replace(scratch, phases=(replace(scratch.phases[0], steps=s, epochs=0.),))) for s in steps]
    n_valid, rows = len(task.subset(n)[1]), []
    for seed, (passing, *runs) in enumerate(zip(trials(transfer), *scratches)):
        last = runs[-1].trace[-1]['valid_accuracy']
        near = [first(r.trace, last - (last*(1 - last)/n_valid)**.5) for r in runs]
        rows.append(dict(seed=seed, scratch_last=[r.trace[-1]['valid_accuracy'] for r in runs], scratch_test=[r.row['test_score'] for r in runs],
                         scratch_seconds=[r.row['seconds'] for r in runs], seconds_scratch=min(o for o in near if o is not None),
                         transfer_last=passing.trace[-1]['valid_accuracy'], transfer_test=passing.row['test_score'],
                         transfer_seconds=passing.row['seconds'], seconds_transfer=first(passing.trace, last)))
    ratios = [r['seconds_scratch']/r['seconds_transfer'] for r in rows if r['seconds_transfer']]
    figures = dict(benchmark='plateau', task=task.name, size=args.size or task.medium.size, labels=n, steps=steps, transfer=args.transfer, seeds=rows)
    if len(ratios) == len(rows):
        logs = np.log(ratios)
        half = stats.t.ppf(.975, len(logs) - 1)*logs.std(ddof=1)/len(logs)**.5 if len(logs) > 1 else np.nan
        figures |= dict(transfer_passes_scratch_ratio=float(np.exp(-logs.mean())), times_sooner=float(np.exp(logs.mean())),
                        times_sooner_ci95=[float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))])
    finish(args, figures)


if __name__ == '__main__': main()
