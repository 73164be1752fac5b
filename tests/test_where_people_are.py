"From where people already are: scikit-learn's classifiers, the library datasets, fastai's callbacks, a shell that completes"

import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tl_vs_scratch as tlvs
from commands import paint
from datasets import Dataset
from fastai.callback.core import Callback
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils import estimator_checks
from tl_vs_scratch.training.estimators import TransferClassifier, labelled_task
from tl_vs_scratch.training.recipes import Settings, parse_strategy
from tl_vs_scratch.training.refits import find_length, model_of, refit

QUICK = TransferClassifier('scratch:convnet', size=16, max_steps=48, random_state=0)
# those of scikit-learn's checks that ask for no table of numbers; `check_estimator` itself stops where there is none
CHECKS = ('check_estimator_cloneable', 'check_valid_tag_types', 'check_estimator_repr', 'check_no_attributes_set_in_init', 'check_parameters_default_constructible',
          'check_mixin_order', 'check_get_params_invariance', 'check_set_params', 'check_estimators_unfitted')


def shades(many=30, size=16):
    "Dark and light pictures, and which they are"
    rng = np.random.default_rng(0)
    light = np.arange(many) % 2
    return (rng.integers(0, 90, (many, size, size, 3)) + 150*light[:, None, None, None]).astype(np.uint8), np.array(['dark', 'light'])[light]


# ---- scikit-learn ----

@pytest.mark.parametrize('name', CHECKS)
def test_the_checks_of_scikit_learn(name): getattr(estimator_checks, name)('TransferClassifier', clone(QUICK))


def test_the_classifier_learns_and_is_kept():
    X, y = shades()
    fitted = clone(QUICK).fit(X, y)
    assert fitted.classes_.tolist() == ['dark', 'light'] and fitted.score(X, y) == 1
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))
    assert cross_val_score(QUICK, X, y, cv=2, error_score='raise').mean() > .9


def test_the_classifier_is_what_train_makes():
    "The same two trainings as those behind `study.train()`, by hand"
    X, y = shades()
    fitted = clone(QUICK).fit(X, y)
    task = labelled_task(X, (y == 'light').astype(int), ['dark', 'light'], 16)
    entrant, settings = parse_strategy('scratch:convnet', task.medium.usual_body), Settings(max_steps=48)
    length = find_length(task, entrant, settings, progress=False)
    model = model_of(refit(task, entrant, settings, length, progress=False), task, length)
    assert length == fitted.length_
    np.testing.assert_array_equal(fitted.model_.outputs(list(X))[0], model.outputs(list(X))[0])


def test_the_classifier_reads_files(tmp_path):
    for k in range(12): paint(tmp_path/f'{k}.png', 120*(k % 2), np.random.default_rng(k), size=20)
    files, y = [tmp_path/f'{k}.png' for k in range(12)], [k % 2 for k in range(12)]
    fitted = clone(QUICK).fit(files, y)
    assert fitted.predict(list(map(str, files))).shape == (12,)
    (tmp_path/'bad.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='1 of 2 pictures cannot be read: .*bad.png'): fitted.predict([files[0], tmp_path/'bad.png'])
    with pytest.raises(ValueError, match='1 of 13 pictures cannot be read: .*bad.png'): clone(QUICK).fit([*files, tmp_path/'bad.png'], [*y, 0])


def test_the_classifier_reads_texts():
    X = np.array(['a good day', 'all is well', 'so very good', 'bad and worse', 'it is bad', 'nothing but bad']*3, object)
    fitted = TransferClassifier('scratch:bag', max_steps=48, random_state=0).fit(X, [True, True, True, False, False, False]*3)
    assert fitted.classes_.tolist() == [False, True] and fitted.predict_proba(X).shape == (18, 2)
    assert fitted.predict(['it is good']).dtype == bool


# ---- datasets ----

def test_compare_takes_a_dataset(tmp_path):
    words = Dataset.from_dict(dict(text=[f'{"good" if k % 2 else "bad"} number {k}' for k in range(80)], label=[k % 2 for k in range(80)]))
    study = tlvs.compare(words, sizes=[40], seeds=1, strategies=['most_frequent', 'plain_linear'], preset='exhaustive', out=tmp_path, progress=False, jobs=1)
    assert study.task.classes == ['0', '1'] and study.results.set_index('strategy').test_score['plain_linear'] == 1
    with pytest.raises(ValueError, match='of a Dataset text and label may be named, not split'): tlvs.compare(words, split='label', progress=False)


# ---- callbacks ----

class Diary(Callback):
    "Writes the number of each step into a file"
    def __init__(self, file): self.file = file
    def after_batch(self):
        if self.training: self.file.open('a').write(f'{self.train_iter}\n')


def diaries(folder, label, n, seed): return [Diary(folder/f'{label.replace(":", "-")}-{n}-{seed}.txt')]


@pytest.mark.parametrize('jobs', [1, 2])
def test_callbacks_watch_each_training(tmp_path, jobs):
    "Also in other processes; and who is watched is no worse for it"
    shared = dict(sizes=[20], seeds=2, strategies=['scratch:convnet'], preset='exhaustive', max_steps=20, size=16, jobs=jobs, progress=False)
    task = tlvs.emoji()
    watched = tlvs.compare(task, out=tmp_path/'watched', cbs=partial(diaries, tmp_path), **shared)
    alone = tlvs.compare(task, out=tmp_path/'alone', **shared)
    assert watched.results.test_score.tolist() == alone.results.test_score.tolist()
    for seed in range(2): assert (tmp_path/f'scratch-convnet-20-{seed}.txt').read_text().split() == [str(k) for k in range(1, 21)]


def test_one_callback_will_do(tmp_path):
    study = tlvs.compare('emoji', cbs=Diary(tmp_path/'steps.txt'), sizes=[20], seeds=1, strategies=['scratch:convnet'], preset='exhaustive',
                         max_steps=3, size=16, jobs=1, out=tmp_path/'study', progress=False)
    assert study.results.steps.tolist() == [3] and (tmp_path/'steps.txt').read_text().split() == ['1', '2', '3']


# ---- the shell ----

def test_the_shell_completes():
    asked = dict(os.environ, _TL_VS_SCRATCH_COMPLETE='complete_bash', COMP_WORDS='tl-vs-scratch comp', COMP_CWORD='1')
    command = Path(sys.executable).with_name('tl-vs-scratch')
    found = subprocess.run([command], env=asked, capture_output=True, text=True, timeout=120)
    assert found.stdout.split() == ['compare'], found
