"A study that was never trained: outputs drawn so that their accuracy is known; what `answers` may use of a study is all here"

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from tl_vs_scratch.tasks.pictures import Pictures
from tl_vs_scratch.tasks.scores import as_score
from tl_vs_scratch.tasks.task import Task
from tl_vs_scratch.training.paths import Checkpoint, Course
from tl_vs_scratch.training.recipes import Arm, Settings, Trial

COLUMNS = ('task strategy start body n seed size lr settings_digest score valid_score test_score train_score overfitting_gap seconds seconds_wall '
           'seconds_tuning steps flops trainable_params peak_memory_mb device threads precision use_seconds_per_1000 weights_mb status error').split()
LOOKS = dict(scratch=('#D55E00', 'o'), linear_probe=('#56B4E9', 's'), fine_tune=('#0072B2', '^'))
SECONDS = dict(scratch=9., linear_probe=1., fine_tune=5.)


def fake_task(n_test=120, n_labelled=60, classes=('cat', 'dog', 'owl'), score='accuracy', medium=None):
    "A task whose examples cannot be read; a third of the test examples are of the first class, the rest is skewed"
    rng, k = np.random.default_rng(0), len(classes)
    labels = np.concatenate([np.arange(n_labelled) % k, np.minimum(rng.integers(0, k + 1, n_test), k - 1)])
    ids = [f'{i:03d}.png' for i in range(len(labels))]
    dropped = pd.DataFrame(dict(id=['900.png', '901.png'], reason='copy of a test picture'))
    return Task('fake', ids, ids, labels, list(classes), np.arange(len(labels)) >= n_labelled, ids, medium or Pictures(32), score=score, dropped=dropped,
                credit='nobody')


def outputs_of(rng, targets, n_classes, accuracy, sure=2.):
    "Class scores of which a share of about `accuracy` is right, as sure as you say"
    right = rng.random(len(targets)) < accuracy
    named = np.where(right, targets, (targets + rng.integers(1, n_classes, len(targets))) % n_classes)
    return (sure*np.eye(n_classes)[named] + rng.normal(0, .1, (len(targets), n_classes))).astype(np.float32)


class FakeStudy:
    "Trials with these {(label, n): accuracy}; `failed` of them have failed, `missing` were not run, those of `learning`, labels or (label, n), were stopped early"
    def __init__(self, accuracy, seeds=3, score='accuracy', task=None, settings=Settings(), train=1., seconds=SECONDS, failed=(), missing=(), learning=(), out=None):
        self.task = task or fake_task(score=score)
        self.score, self.medium, self.settings, self.seeds = as_score(score), self.task.medium, settings, seeds
        self.out = Path(out or 'runs/fake')
        self.sizes, self.truth, self.trained = sorted({n for _, n in accuracy}), accuracy, 0
        self.strategies = {label: self._arm(label) for label in dict.fromkeys(label for label, _ in accuracy)}
        self.digests = {label: f'{i:016d}' for i, label in enumerate(self.strategies)}
        self.runs = [dict(at='2026-11-25T10:00:00', machine=dict(machine='a machine, 2 processor cores', versions=dict(python='3.11', torch='2.9')))]
        self.grid = [(label, n, seed) for label, n in accuracy for seed in range(seeds)]
        self.train, self.seconds_of, self.early = train, seconds, learning
        self._trials = [self._trial(*cell, cell in failed) for cell in self.grid if cell not in missing]

    def _arm(self, label):
        name, _, body = label.partition(':')
        start = 'random' if name.startswith('scratch') else 'none' if name == 'plain_svm' else 'pretrained'
        color, marker = LOOKS.get(name, ('#7F7F7F', '*'))
        body = body or 'tf_efficientnet_lite0'
        return Arm(label, start, body, 'About it.', f'{start} weights of {body}; 9 steps on everything.', color, marker, True)

    def _early(self, label, n): return label in self.early or (label, n) in self.early

    def _trial(self, label, n, seed, failed):
        task, arm = self.task, self.strategies[label]
        rng = np.random.default_rng([n, seed, *map(ord, label)])
        parts = dict(test=(task.labels[task.test_idxs], self.truth[label, n]), train=(task.labels[task.labelled_idxs], self.train),
                     valid=(task.labels[task.labelled_idxs[::5]], self.truth[label, n]))
        outputs = {part: outputs_of(rng, y, task.n_classes, p) for part, (y, p) in parts.items()}
        means = {f'{part}_score': float(self.score.values(outputs[part], y).mean()) for part, (y, _) in parts.items()}
        gap = float(self.score.gains(means['train_score']) - self.score.gains(means['test_score']))
        row = dict.fromkeys(COLUMNS, 0) | dict(
            task=task.name, strategy=label, start=arm.start, body=arm.body, n=n, seed=seed, size=32, settings_digest=self.digests[label], score=self.score.name,
            **means, overfitting_gap=gap, seconds=self.seconds_of.get(label, 3.), flops=1e12, trainable_params=10, device='cpu', threads=1, precision='float32',
            status='learning' if self._early(label, n) else 'done', error='')
        if not failed: return Trial(row, [], outputs)
        row |= dict.fromkeys([*means, 'overfitting_gap'], np.nan) | dict(status='failed', error='Oh: no')
        return Trial(row, [], {}, 'Traceback: Oh: no')

    @property
    def results(self): return pd.DataFrame([t.row for t in self._trials], columns=COLUMNS)
    def trials(self): return list(self._trials)
    def finished(self): return [t for t in self._trials if t.row['status'] != 'failed']
    def targets(self, part, n, seed):
        return self.task.labels[dict(test=self.task.test_idxs, train=self.task.labelled_idxs, valid=self.task.labelled_idxs[::5])[part]]

    def paths(self): return [(t, self._path(t)) for t in self.finished()]

    def _path(self, trial):
        "Three checkpoints on the way to what the trial gives: at first, half of the answers were others"
        def until(outputs, share): return np.where(np.arange(len(outputs))[:, None] < share*len(outputs), outputs, np.roll(outputs, 1, 1))
        return [Checkpoint(step, 1., 1., 1., {part: until(trial.outputs[part], share) for part in ('test', 'valid')})
                for step, share in ((20, .5), (40, .75), (80, 1))]

    def learning(self): return {(label, n): list(range(self.seeds)) for label, n in self.truth if self._early(label, n)}

    def courses(self, part='test', tuned=False):
        "Each of them rose in a straight line over three checkpoints"
        found = {}
        for key, seeds in self.values(part).items():
            seconds = self.seconds_of.get(key[0], 3.)*np.array([.25, .5, 1])
            found[key] = {s: Course(np.array([20, 40, 80]), seconds, 1e9*seconds, np.stack([v*share for share in (.5, .75, 1)])) for s, v in seeds.items()}
        return found

    def values(self, part='test'):
        targets, found = self.targets(part, 0, 0), {}
        for t in self.finished(): found.setdefault((t.row['strategy'], t.row['n']), {})[t.row['seed']] = self.score.values(t.outputs[part], targets)
        return found

    def guesses(self, n):
        found = {}
        for t in self.finished():
            if t.row['n'] == n: found.setdefault(t.row['strategy'], {})[t.row['seed']] = t.outputs['test'].argmax(1)
        return found

    def excerpts(self): return {}
    def recipe(self): return {}
    margin = .01
    def tracebacks(self): return {(t.row['strategy'], t.row['n'], t.row['seed']): t.traceback for t in self._trials if t.row['status'] == 'failed'}


def texts():
    "A medium that is no picture"
    return SimpleNamespace(one='text', many='texts', plain_words='counts of words', size=256, varied='with words left out', size_words=lambda size=None: f'texts of {size or 256} tokens', identity='text', usual_body='minilm')
