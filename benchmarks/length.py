"""When is a training done? What stopping by the rule costs against going on for long

    python -m benchmarks.length FOLDER [--data FOLDER] [--json FILE] [--only-finished]

FOLDER keeps the paths of trainings that nothing stops before their last step; what is missing of `LONG` is trained there first, which takes hours
and may be interrupted. --data says where the folders of pictures are; without it, what needs them is left out. Each path is then stopped by the rule
in use (`paths.is_flat`) and by two that were in use before: a single look at a line since an eighth of the time, and three flat looks. What is lost
is the mean test accuracy of the last three checkpoints, about the last half of the training, less the accuracy where it was stopped. A loss below 0
means that it went on longer than it had to, or is noise; `stopped` counts the trainings that a rule ended before their last step: of the others it is
only known that the rule let them go on. On `CHOSEN_ON` the numbers of the rule were chosen; what it does to the others is told apart.
"""

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.machine import finish
from tl_vs_scratch.tasks.builtin import BUILT_IN
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training import paths
from tl_vs_scratch.training.paths import (
    HALF, LEAST, LOOKS, REST, SMALL, Look, flat_at, is_flat, last_in_a_row, moved, settled_losses, slope, still_at)
from tl_vs_scratch.training.recipes import Anytime, Settings, targets_of

SIZES = dict(signs=100, clothing10=100, grocery43=250, emoji=80, digits=100)
STEPS = {'fine_tune': 1810, 'linear_probe': 2560, 'scratch:convnet': 2560}
CHOSEN_ON = [*[(task, 'fine_tune', n, 0) for task, n in SIZES.items()], ('signs', 'fine_tune', 100, 1),
             *[(task, 'scratch:convnet', n, seed) for task, n in SIZES.items() for seed in (0, 1)]]
OTHERS = [*[(task, 'fine_tune', n, 1) for task, n in SIZES.items() if task != 'signs'], ('signs', 'fine_tune', 100, 2), ('emoji', 'fine_tune', 80, 2),
          ('signs', 'fine_tune', 400, 0), *[(task, 'linear_probe', n, 0) for task, n in SIZES.items()]]
LONG = CHOSEN_ON + OTHERS
PARTS = 'step', 'before', 'seconds', 'train_loss'


def train_long(task, strategy, n, seed, file):
    "Train to the last step, whatever the path looks like, and keep it"
    import torch
    from tl_vs_scratch.fast.switch import faster
    from tl_vs_scratch.training.trial import run_trial
    torch.set_num_threads(1)
    Anytime.is_over = lambda self, looks: False # in this process
    task = load_task(task)
    with faster(): path = run_trial(task, strategy, n, seed, settings=Settings(size=32, max_steps=STEPS[strategy])).path
    scalars = {part: [getattr(at, part) for at in path] for part in PARTS}
    outputs = {part: np.array([at.outputs[part] for at in path], np.float32) for part in ('valid', 'test')}
    np.savez_compressed(file, **scalars, **outputs, **{f'{part}_targets': y for part, y in targets_of(task, n, seed).items() if part != 'train'})


def looks_of(path)->list:
    "(position of the checkpoint, `Look`) of the last part of the recipe"
    begun, found = int(path['before'][-1]), []
    for k, step in enumerate(path['step'] - begun):
        earlier = [j for j in range(k) if 0 < path['step'][j] - begun <= HALF*step]
        share = moved(path['valid'][earlier[-1]], path['valid'][k]) if earlier else 1.
        if step > 0: found.append((k, Look(int(step), settled_losses(path['valid'][k], path['valid_targets']), share)))
    return found


def three_flat(looks): return last_in_a_row(looks, flat_at) >= LOOKS


def since_an_eighth(looks):
    "One look was enough, and sixty steps"
    last = looks[-1]
    begun = sum(look.step <= .13*last.step for look in looks)
    level = last.step >= LEAST and begun and -slope(looks[begun - 1:]) <= SMALL*last.losses.mean()
    return level or last.moved <= REST and three_flat(looks) or last_in_a_row(looks, still_at) >= LOOKS


RULES = dict(now=is_flat, since_an_eighth=since_an_eighth, three_flat=three_flat)


def stopped_at(looks, rule)->int:
    "The checkpoint at which a rule ends the training; the last one where it does not"
    return next((k for i, (k, _) in enumerate(looks) if rule([look for _, look in looks[:i + 1]])), looks[-1][0])


def row_of(job, path)->dict:
    "What each rule makes of a path"
    accuracy = (path['test'].argmax(-1) == path['test_targets']).mean(1)
    late, looks = accuracy[-3:].mean(), looks_of(path)
    row = dict(zip(('task', 'strategy', 'n', 'seed'), job), validates=len(path['valid_targets']), steps=int(path['step'][-1]), late=100*late)
    for name, rule in RULES.items():
        k = stopped_at(looks, rule)
        row |= {f'{name}_steps': int(path['step'][k]), f'{name}_accuracy': 100*accuracy[k], f'{name}_lost': 100*(late - accuracy[k])}
    return row


def overall(rows)->dict: # rule -> what was lost by it, over the trainings that it ended
    found = {}
    for name in RULES:
        lost = [r[f'{name}_lost'] for r in rows if r[f'{name}_steps'] < r['steps']]
        found[name] = dict(stopped=len(lost), of=len(rows), median_steps=np.median([r[f'{name}_steps'] for r in rows]))
        if lost: found[name] |= dict(mean_lost=np.mean(lost), worst_lost=max(lost), more_than_two=np.mean(np.array(lost) > 2))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--data', type=Path)
    parser.add_argument('--json', type=Path)
    parser.add_argument('--only-finished', action='store_true', help='train nothing; leave out what is not there')
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    files = {job: args.folder/f'{job[0]}-{job[1].replace(":", "_")}-{job[2]}-{job[3]}.npz' for job in LONG if args.data or job[0] in BUILT_IN}
    todo = [] if args.only_finished else [(job, file) for job, file in files.items() if not file.exists()]
    def place(task): return task if task in BUILT_IN else str(args.data/task)
    Parallel(-1)(delayed(train_long)(place(job[0]), *job[1:], file) for job, file in todo)
    rows = {job: row_of(job, np.load(file)) for job, file in files.items() if file.exists()}
    others = [row for job, row in rows.items() if job in OTHERS]
    finish(args, dict(rule={name: getattr(paths, name) for name in ('LEAST', 'LOOKS', 'SMALL', 'REST', 'STILL', 'QUARTER', 'LEVEL')},
                      overall=overall([*rows.values()]), others=overall(others), trainings=[*rows.values()]))


if __name__ == '__main__': main()
