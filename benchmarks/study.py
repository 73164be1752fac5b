"""What a study costs, per strategy: ours against the same trials as plain fastai loops

    python -m benchmarks.study DATA_FOLDER [--json FILE]

A standard study has 5 sizes x 3 seeds of each strategy. Running all of it twice takes hours, so a sample is measured and scaled:
- plain fastai (timm's network, files, two loading processes, BatchNorm learning in the frozen part), one trial after another with
  all cores: the median seconds of a training step in each phase, and of a picture's forward pass, times the steps of the trial and
  the pictures that it validates and tests; a phase without a length counts for the usual number of steps, on both sides;
- ours: trials as `compare` runs them, one thread each and as many at a time as there are cores. Of a strategy with a frozen part only
  they are run whole, and further trials are measured apart from the first ones, which fill the cache; the others are run with a few
  steps, with 60 and with 180, and what the steps between take is scaled.
Both without augmentation and with the largest size; the two sides take turns.
"""

import os
import tempfile
import time
from dataclasses import replace

import numpy as np
import timm
from fastai.callback.core import Callback
from fastai.learner import Learner
from torch import nn

from benchmarks.machine import arguments, empty_cache, finish, median
from benchmarks.peers import BODY, Split, fastai_dls, network
from tl_vs_scratch.studies.plan import PRESETS, usual_length
from tl_vs_scratch.studies.study import Study
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import STRATEGIES
from tl_vs_scratch.training.trial import in_steps

STUDIED = ('scratch', 'linear_probe', 'fine_tune', 'lp_ft', 'partial_fine_tune')
TRIALS = 5*3
STAGES = 9 # of the body, the head apart
EVALUATIONS = 8 # of a plain loop; ours look more often


class Marks(Callback):
    "The time at the end of each step"
    def before_fit(self): self.times = []
    def after_batch(self):
        if self.training: self.times.append(time.perf_counter())


class Plain:
    "fastai's Learner on timm's network, one parameter group per stage"
    def __init__(self, task, size, bs):
        self.dls = fastai_dls(Split(task, 0, size, bs))
    def learner(self, pretrained):
        model = network(len(self.dls.vocab)) if pretrained else timm.create_model(BODY, num_classes=len(self.dls.vocab))
        stages = [nn.Sequential(model.conv_stem, model.bn1), *model.blocks, nn.Sequential(model.conv_head, model.bn2)]
        return Learner(self.dls, model, nn.CrossEntropyLoss(), splitter=lambda m: [list(s.parameters()) for s in (*stages, model.classifier)])
    def step(self, phase, steps=6):
        "Median seconds of a training step of a phase"
        learn, marks = self.learner(phase.train != 'all'), Marks()
        learn.freeze_to(phase.frozen(STAGES))
        learn.dls = in_steps(self.dls, steps)
        with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=[marks, NoValidation()])
        return median(np.diff(marks.times))
    def picture(self):
        "Seconds of a picture's forward pass with loading it, once two batches are under way"
        learn = self.learner(True)
        start = time.perf_counter()
        with learn.no_bar(), learn.no_logging(): learn.get_preds(dl=self.dls.valid)
        return (time.perf_counter() - start)/len(self.dls.valid_ds)


class NoValidation(Callback):
    def before_validate(self):
        from fastai.callback.core import CancelValidException
        raise CancelValidException


def plain_seconds(plain, lengths, settings, n_valid, n_test, n_train, picture):
    "A trial as plain loops: its steps, a validation per evaluation, the training and the test pictures at the end"
    training = sum(steps*plain.step(phase) for phase, steps in lengths)
    return training + picture*(EVALUATIONS*n_valid + n_train + n_test)


def our_seconds(task, name, steps, settings, out):
    "Wall seconds a trial: of the first trials, which fill the cache, and of further ones"
    cores = os.cpu_count()
    def run(seeds, steps):
        start = time.perf_counter()
        study = Study(task, [name], [task.labels_available], seeds, settings=replace(settings, max_steps=round(steps)), out=out).run(jobs=cores, progress=False)
        if (study.results.status == 'failed').any(): raise RuntimeError(study.results.error.max())
        return (time.perf_counter() - start)/study.trained
    if not trains_all(name): return run(cores, steps), run(5*cores, steps)
    start, few, more = (run(cores, part) for part in (4, 60, 180))
    whole = start + (more - few)*steps/120
    return whole, whole

def trains_all(name): return any(p.train == 'all' for p in STRATEGIES[name].phases)


def lengths_of(strategy, batches):
    "Each part with its steps"
    usual = usual_length(strategy.start, batches)
    return [(p, round(min(p.length(batches), usual))) for p in strategy.parts(STAGES)]


def main():
    args = arguments(__doc__, strategies=','.join(STUDIED))
    task, settings = load_task(args.data), PRESETS['standard']['settings']
    size = args.size or task.medium.size
    train, valid = task.subset(None, 0)
    plain, rows = Plain(task, size, settings.bs), []
    picture = plain.picture()
    ours = replace(settings, size=size, augment=False)
    with empty_cache(), tempfile.TemporaryDirectory() as folder:
        for name in args.strategies.split(','):
            lengths = lengths_of(STRATEGIES[name], len(train)/settings.bs)
            steps = sum(n for _, n in lengths)
            theirs = plain_seconds(plain, lengths, settings, len(valid), len(task.test_idxs), len(train), picture)
            first, further = our_seconds(task, name, steps, ours, f'{folder}/{name}')
            cost = os.cpu_count()*first + (TRIALS - os.cpu_count())*further
            rows.append(dict(strategy=name, steps=steps, seconds_plain=theirs, seconds_first=first, seconds_further=further, seconds_ours=cost/TRIALS, speedup=TRIALS*theirs/cost))
            print('{strategy:20} plain {seconds_plain:7.1f} s a trial; ours {seconds_ours:7.1f} s ({seconds_first:.1f} s the first, {seconds_further:.1f} s each further); {speedup:.1f} times'.format(**rows[-1]), flush=True)
    total = lambda chosen: sum(r['seconds_plain'] for r in chosen)/sum(r['seconds_ours'] for r in chosen)
    frozen = [r for r in rows if not trains_all(r['strategy'])]
    finish(args, dict(benchmark='study', task=task.name, size=size, strategies=rows, study_speedup=total(rows), study_speedup_frozen=total(frozen) if frozen else None))


if __name__ == '__main__': main()
