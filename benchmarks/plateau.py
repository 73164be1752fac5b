"""How soon does transfer pass what training from scratch ends at?

    python -m benchmarks.plateau DATA_FOLDER [--seeds 4] [--steps 3] [--json FILE]

Scratch trains with all labels for `--steps` times the standard number of steps. Its plateau is reached at the first evaluation whose
validation accuracy is within one standard error of the last one. Transfer is the linear probe on cached activations, in the cold;
it has passed at its first evaluation that is above scratch's last. Both clocks stand during evaluations and decoding. Neither side's
learning rate was tuned here (the shipped defaults are tuned on other tasks), so no time for tuning is added to either.
"""

import numpy as np
from scipy import stats

from benchmarks.machine import arguments, finish
from tl_vs_scratch.study import compare
from tl_vs_scratch.tasks import load_task


def first(trace, accuracy): return next((r for r in trace if r['valid_accuracy'] >= accuracy), None)


def main():
    args = arguments(__doc__, seeds=4, steps=3., bs=32, out='')
    task = load_task(args.data)
    n = task.labels_available
    study = compare(task, sizes=[n], seeds=args.seeds, strategies=['scratch', 'linear_probe'], steps=args.steps, bs=args.bs, evaluations=30,
                    image_size=args.size, out=args.out or f'runs/plateau-{task.name}')
    trials = {(t.row['strategy'], t.row['seed']): t for t in study.trials()}
    n_valid, rows = len(task.subset(n)[1]), []
    for seed in range(args.seeds):
        scratch, probe = trials['scratch', seed], trials['linear_probe', seed]
        last = scratch.trace[-1]['valid_accuracy']
        plateau = first(scratch.trace, last - (last*(1 - last)/n_valid)**.5)
        passed = first(probe.trace, last)
        rows.append(dict(seed=seed, scratch_last=last, scratch_test=scratch.row['test_accuracy'], probe_test=probe.row['test_accuracy'],
                         seconds_scratch=plateau['seconds'], seconds_transfer=passed['seconds'] if passed else None))
    ratios = [r['seconds_scratch']/r['seconds_transfer'] for r in rows if r['seconds_transfer']]
    figures = dict(benchmark='plateau', task=task.name, size=args.size or task.image_size, labels=n, steps=args.steps, seeds=rows)
    if len(ratios) == len(rows):
        logs = np.log(ratios)
        half = stats.t.ppf(.975, len(logs) - 1)*logs.std(ddof=1)/len(logs)**.5 if len(logs) > 1 else np.nan
        figures |= dict(transfer_passes_scratch_ratio=float(np.exp(-logs.mean())), times_sooner=float(np.exp(logs.mean())),
                        times_sooner_ci95=[float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))])
    finish(args, figures)


if __name__ == '__main__': main()
