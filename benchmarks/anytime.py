"""One training without a length, or one of each length? Five ways to move the rate and to take the weights, at equal steps

    python -m benchmarks.anytime FOLDER [--data FOLDER] [--json FILE] [--only-finished]

FOLDER keeps what came of each training; what is missing is trained there first, two hours of one core, and may be interrupted. --data says where the
folder `signs` is; without it, what needs it is left out. A constant rate and a running average of the weights (what the library does) is set
beside the newest weights of the same training, schedule-free AdamW (Defazio et al. 2024, the authors' own package), a constant rate with a
cool-down over the last fifth of the steps (Hu et al. 2024, Hägele et al. 2024), and one-cycle (Smith 2018). The first three are one training that
is looked at on its way; the last two need a training, or its end, for each length. Each has the strategy's own rate and, but for fine-tuning, whose
steps take long, three times that, and takes what its validation examples prefer, over all seeds. Differences are of test accuracy, paired by seed,
then over the pairs of a task and a strategy.
"""

import argparse
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.schedule import ParamScheduler, SchedLin
from fastai.optimizer import OptimWrapper
from joblib import Parallel, delayed

from benchmarks.machine import finish, interval
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.paths import settled_losses
from tl_vs_scratch.training.recipes import Anytime, OneCycle, Settings, parse_strategy
from tl_vs_scratch.training.trial import Training
from tl_vs_scratch.training.unfreezing import batchnorms

PAIRS = [*((task, strategy, 100) for strategy in ('scratch:convnet', 'linear_probe') for task in ('digits', 'emoji')),
         ('emoji_words', 'scratch:bag', 100), ('signs', 'scratch:convnet', 200), ('emoji', 'fine_tune', 100), ('digits', 'fine_tune', 100),
         ('emoji_words', 'fine_tune', 100), ('signs', 'fine_tune', 200)] # task, strategy, labels
SEEDS, FACTORS = 3, (1., 3.)
LENGTHS = 80, 320 # steps in all; checkpoints, so that one training passes through them
COOLING = .2      # of the last part's steps
NEWEST = 1e9      # an average with that is the newest weights
WAYS = 'average', 'newest', 'schedule_free', 'cool_down', 'one_cycle'


@dataclass(frozen=True)
class Endless(Anytime):
    "A constant rate that nothing but the last step ends"
    def is_over(self, looks): return False


@dataclass(frozen=True)
class CoolDown(OneCycle):
    "The rate falls to 0 in a straight line"
    def fit(self, learn, epochs, lrs, cbs):
        learn.fit(epochs, lrs, cbs=[*cbs, ParamScheduler(dict(lr=SchedLin(np.array(lrs), np.array(lrs)*1e-3)))])


class Looked(Training):
    "Keeps also what the newest weights say at each checkpoint"
    def __init__(self, *args, **kwargs):
        self.newest = {} # step -> outputs of the newest weights
        super().__init__(*args, **kwargs)

    def advance(self, stop=None):
        at = super().advance(stop)
        self.newest[at.step] = dict(valid=self.outputs('valid'), test=self.outputs('watched'))
        return at


class AtItsAverage(Callback):
    "Schedule-free weights are averaged where the network is asked, and BatchNorm's statistics are taken anew for them"
    order = 56 # after `SteadyRate`, which leaves out fastai's own validation
    def before_train(self): self.opt.opt.train()

    def before_validate(self):
        self.opt.opt.eval()
        norms = [m for m in batchnorms(self.learn.model) if m.weight.requires_grad]
        if norms: self.take_statistics(norms)

    def take_statistics(self, norms, batches=20):
        momenta = [m.momentum for m in norms]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None # all batches alike
            m.train()
        with torch.no_grad():
            for k, (x, *_) in enumerate(self.statistics_dl):
                if k < batches: self.learn.model(x)
        for m, momentum in zip(norms, momenta):
            m.momentum = momentum
            m.eval()

    def after_validate(self): self.opt.opt.train()


class ScheduleFree(Training):
    "The last part is trained by schedule-free AdamW"
    def begin_part(self, part):
        super().begin_part(part)
        if part != len(self.parts) - 1: return
        from schedulefree import AdamWScheduleFree
        free = partial(AdamWScheduleFree, betas=(.9, .99), weight_decay=.01)
        self.learn.opt = OptimWrapper(self.learn.splitter(self.learn.model), free)
        self.learn.opt.frozen_idx = self.phase.frozen(len(self.learn.model.stages))
        self.learn.add_cb(AtItsAverage())
        self.learn.at_its_average.statistics_dl = self.learn.dls.train


def in_the_end(strategy, *phases):
    "The strategy with other last phases"
    return replace(strategy, phases=(*strategy.phases[:-1], *phases))


def ways(strategy, first:int):
    "What is tried, as (way, class of the training, strategy, lengths); `first` steps go before the last phase"
    last, no_average = strategy.phases[-1], Endless(newest=NEWEST)
    yield 'average', Looked, in_the_end(strategy, replace(last, schedule=Endless())), LENGTHS
    yield 'schedule_free', ScheduleFree, in_the_end(strategy, replace(last, schedule=no_average)), LENGTHS
    for length in LENGTHS:
        steps = length - first
        cooling = round(COOLING*steps)
        constant, falling = replace(last, steps=steps - cooling, schedule=no_average), replace(last, steps=cooling, schedule=CoolDown())
        yield 'cool_down', Training, in_the_end(strategy, constant, falling), (length,)
        yield 'one_cycle', Training, in_the_end(strategy, replace(last, steps=steps, schedule=OneCycle())), (length,)


def judged(outputs, targets)->dict:
    "Test accuracy in points, and the validation loss at its best temperature"
    return dict(accuracy=100*float((outputs['test'].argmax(1) == targets['test']).mean()),
                loss=float(settled_losses(outputs['valid'], targets['valid']).mean()))


def trained(training, way, lengths)->list[dict]:
    "A row per length; none where the rate was too high"
    targets = training.targets | dict(test=training.targets['test'][training.task.watched])
    try:
        while not training.is_over: training.advance()
    except FloatingPointError: return []
    rows = [dict(way=way, steps=at.step, **judged(at.outputs, targets)) for at in training.path if at.step in lengths]
    if isinstance(training, Looked): rows += [dict(way='newest', steps=step, **judged(training.newest[step], targets)) for step in lengths]
    return rows


def train(data, pair, seed, file):
    "All ways of one pair and seed, at all rates, into a file"
    torch.set_num_threads(1)
    name, spec, n = pair
    task, rows = load_task(data or name), []
    entrant = parse_strategy(spec, task.medium.usual_body)
    settings = Settings(size=32 if task.medium.many == 'pictures' else None, max_steps=LENGTHS[-1])
    first = sum(int(phase.length(settings.batches(n))) for phase in entrant.strategy.phases[:-1])
    with faster():
        for factor in FACTORS[:1] if spec == 'fine_tune' else FACTORS:
            for way, kind, strategy, lengths in ways(entrant.strategy, first):
                training = kind(task, replace(entrant, strategy=strategy), n, seed, settings, factor)
                found = dict(task=name, strategy=spec, n=n, seed=seed, factor=factor)
                rows += [found | row for row in trained(training, way, lengths)]
    file.write_text(json.dumps(rows))


def at_the_best_rate(rows)->pd.DataFrame: # task, strategy, way, steps, seed, accuracy, factor
    "Of each way, the rate that the validation examples prefer over all seeds"
    keys = ['task', 'strategy', 'way', 'steps']
    losses = rows.groupby([*keys, 'factor']).loss.agg(['mean', 'size'])
    losses = losses[losses['size'] == losses['size'].max()] # a rate that failed with one seed is out
    best = losses.groupby(keys)['mean'].idxmin()
    return rows[rows.set_index([*keys, 'factor']).index.isin(best)]


def compared(best)->list[dict]:
    "Each way less the average at equal steps: the mean over seeds of each pair, and over the pairs with an interval"
    table = best.pivot_table(index=['task', 'strategy', 'steps', 'seed'], columns='way', values='accuracy')
    found = []
    for way in WAYS[1:]:
        by_pair = (table[way] - table.average).groupby(['steps', 'task', 'strategy']).mean()
        for steps, of_pairs in by_pair.groupby('steps'):
            mean, between = interval(of_pairs)
            found.append(dict(way=way, steps=steps, pairs=len(of_pairs), mean=mean, interval=between, worst=of_pairs.min(), best=of_pairs.max()))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--data', type=Path)
    parser.add_argument('--json', type=Path)
    parser.add_argument('--jobs', type=int, default=-1, help='trainings at a time (default: the cores)')
    parser.add_argument('--only-finished', action='store_true', help='train nothing; leave out what is not there')
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    jobs = [(pair, seed) for pair in PAIRS if args.data or pair[0] != 'signs' for seed in range(SEEDS)]
    files = {(pair, seed): args.folder/f'{pair[0]}-{pair[1].replace(":", "_")}-{pair[2]}-{seed}.json' for pair, seed in jobs}
    todo = [] if args.only_finished else [job for job in jobs if not files[job].exists()]
    data = dict(signs=args.data and str(args.data/'signs'))
    Parallel(args.jobs)(delayed(train)(data.get(pair[0]), pair, seed, files[pair, seed]) for pair, seed in todo)
    rows = pd.DataFrame([row for file in files.values() if file.exists() for row in json.loads(file.read_text())])
    complete = rows.groupby(['task', 'strategy']).seed.transform('nunique') == SEEDS
    best = at_the_best_rate(rows[complete])
    means = best.groupby(['task', 'strategy', 'steps', 'way']).agg(accuracy=('accuracy', 'mean'), factor=('factor', 'first')).reset_index()
    finish(args, dict(against_average=compared(best), means=means.to_dict('records')))


if __name__ == '__main__': main()
