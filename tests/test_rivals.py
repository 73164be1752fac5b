"Rivals: outputs in the order of the targets, the same twice, chance where labels say nothing, random weights that are random"

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tl_vs_scratch as tlvs
from tl_vs_scratch.basics.session import session
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.pictures import Pictures
from tl_vs_scratch.tasks.scores import as_score
from tl_vs_scratch.tasks.task import make_task
from tl_vs_scratch.training.recipes import Settings, targets_of
from tl_vs_scratch.training.rivals import RIVALS, Inputs, Rival, RivalEntrant, body_inputs, fit_neighbours, rival_costs, rival_digest, run_rival
from tl_vs_scratch.training.tables import write_tables

SETTINGS = Settings(size=32)
BODY = dict(random_probe='convnet') # small; the others see the usual body, or none
SEEING = [name for name in RIVALS if name != 'most_frequent']


@pytest.fixture(autouse=True, scope='module')
def own_cache(tmp_path_factory):
    "One for all, so that pretrained features are computed once"
    session.empty()
    with pytest.MonkeyPatch.context() as patch, faster(): # as in a study
        patch.setenv('TLVS_CACHE_DIR', str(tmp_path_factory.mktemp('cache')))
        yield
    session.empty()


digits = cache(tlvs.digits)


@cache
def coloured(n=90, seed=0):
    "Three colours with noise, in an order in which the classes are mixed: any model that sees them can tell"
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 3)
    paint = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
    sources = [(paint[c] + rng.integers(-50, 50, (32, 32, 3))).astype(np.uint8) for c in labels]
    return make_task('coloured', sources, [f'{i:03d}' for i in range(n)], labels, ['red', 'green', 'blue'], Pictures(size=32), test_share=1/3)


def permuted(task, seed=0):
    "The same examples with labels that say nothing"
    return replace(task, labels=np.random.default_rng(seed).permutation(task.labels))


def run(task, name, n, seed=0): return run_rival(task, name, n, seed, SETTINGS, BODY.get(name, 'tf_efficientnet_lite0'))


@pytest.mark.parametrize('name', SEEING)
def test_outputs_stand_in_the_order_of_the_targets(name):
    task = coloured()
    trial, targets = run(task, name, 45, 1), targets_of(task, 45, 1)
    assert list(trial.outputs) == list(targets) == ['test', 'valid', 'train'] and trial.path == []
    for part, o in trial.outputs.items():
        assert o.shape == (len(targets[part]), 3) and o.dtype == np.float32
        assert np.allclose(np.exp(o).sum(1), 1, atol=1e-4) # logarithms of probabilities
        assert (o.argmax(1) == targets[part]).mean() > .8, part


def test_each_example_gets_its_own_outputs():
    "One neighbour of a training example is itself: its label, whatever the labels are"
    task, rival = permuted(coloured()), replace(RIVALS['nearest_neighbour'], params=(('k', 1),), sees='plain')
    trial = run_rival(task, rival, 45, 0, SETTINGS)
    assert (trial.outputs['train'].argmax(1) == targets_of(task, 45, 0)['train']).all()


@pytest.mark.parametrize('name', RIVALS)
def test_twice_the_same_and_another_seed_another(name):
    task = coloured()
    one, again, other = (run(task, name, 45, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(one.outputs[part], again.outputs[part]) for part in one.outputs)
    assert one.row['settings_digest'] == again.row['settings_digest'] == other.row['settings_digest']
    if name != 'most_frequent': assert not np.array_equal(one.outputs['test'], other.outputs['test'])


@pytest.mark.parametrize('name', ['nearest_neighbour', 'random_probe'])
def test_the_random_numbers_of_others_stay_as_they_were(name):
    import torch
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(coloured(), name, 30)
    assert torch.equal(torch.rand(3), expected)


def test_random_weights_are_random_and_not_kept(tmp_path, monkeypatch):
    "The same examples in the same body: with the pretrained weights, and with those of two seeds"
    monkeypatch.setenv('TLVS_CACHE_DIR', str(tmp_path/'cache'))
    def features(seed): return body_inputs(coloured(), dict(test=np.arange(20)), 'tf_efficientnet_lite0', seed, SETTINGS).x['test']
    random, other, again = features(0), features(1), features(0)
    assert np.array_equal(random, again) and not np.allclose(random, other, rtol=.1)
    write_tables() # what somebody else's trial does next
    assert not list((tmp_path/'cache').glob('*.safetensors'))
    assert not np.allclose(random, features(None), rtol=.1)
    assert list((tmp_path/'cache').glob('*.safetensors'))


@pytest.mark.parametrize('name', SEEING)
def test_chance_where_labels_say_nothing(name):
    "50 test examples of three classes: at chance .6 or more comes in fewer than one of 1,000"
    task = coloured(150)
    assert run(task, name, 60).row['test_score'] > .8
    assert run(permuted(task), name, 60).row['test_score'] < .6


def test_plain_rivals_learn_digits():
    row = run_rival(digits(), 'plain_svm', 300).row
    assert row['test_score'] > .9 and run_rival(permuted(digits()), 'plain_svm', 300).row['test_score'] < .2


def test_the_temperature_makes_honest_probabilities():
    "Where labels say nothing, a log loss near that of knowing nothing, not that of a sure model"
    task = permuted(coloured(150)).with_score('log_loss')
    outputs, targets = run_rival(task, 'plain_svm', 60, 0, SETTINGS).outputs['test'], targets_of(task, 60, 0)['test']
    assert as_score('log_loss').values(outputs, targets).mean() < np.log(3) + .3


def test_most_frequent():
    task = digits()
    trial = run_rival(task, 'most_frequent', 100)
    common = np.bincount(targets_of(task, 100, 0)['train']).argmax()
    assert (trial.outputs['test'].argmax(1) == common).all()
    assert trial.row['test_score'] == pytest.approx((task.labels[task.test_idxs] == common).mean())


def test_the_row():
    row = run_rival(coloured(), RivalEntrant('mine', RIVALS['random_probe'], 'convnet'), 30, 2, replace(SETTINGS, precision='float32')).row
    known = dict(task='coloured', strategy='mine', start='none', body='convnet', n=30, seed=2, size=32, lr=None, seconds_tuning=0, steps=0,
                 trainable_params=0, peak_memory_mb=0, device='cpu', precision='float32', status='done', error='')
    assert {k: row[k] for k in known} == known
    assert row['seconds'] > 0 and row['use_seconds_per_1000'] > 0 and row['weights_mb'] > 0 and row['flops'] > 0


def test_the_row_says_what_features_were_computed_on():
    "In which arithmetic, and where: a bill counts a GPU's seconds by that; without a body both are those of NumPy"
    half = replace(SETTINGS, precision='bfloat16')
    probe, plain = (run_rival(coloured(), name, 30, 0, half, 'convnet').row for name in ('random_probe', 'plain_svm'))
    assert [(row['device'], row['precision']) for row in (probe, plain)] == [(str(coloured().dls().device), 'bfloat16'), ('cpu', 'float32')]
    x = dict.fromkeys(('test', 'valid', 'train'), np.zeros((2, 1)))
    row = rival_costs(Inputs(x, dict.fromkeys(x, 1.), device='cuda:0', precision='bfloat16'), 1., 1.)
    assert (row['device'], row['precision']) == ('cuda:0', 'bfloat16')


def test_cost_is_that_of_a_cold_start():
    "The second trial finds the features in the cache, and pays what they took"
    task = coloured()
    first, second = (run_rival(task, 'nearest_neighbour', 60, 0, SETTINGS) for _ in range(2))
    train, valid = task.subset(60, 0)
    cached = body_inputs(task, dict(test=task.test_idxs, valid=valid, train=train), 'tf_efficientnet_lite0', None, SETTINGS)
    features = cached.seconds['train'] + cached.seconds['valid']
    assert features > 0 and all(trial.row['seconds'] >= features for trial in (first, second))


def test_the_digest_changes_with_what_matters():
    task = coloured()
    def digest(name, body='resnet18', task=task, settings=SETTINGS, **changes):
        return rival_digest(task, RivalEntrant('label', replace(RIVALS[name], **changes), body), settings)
    svm, near = digest('plain_svm'), digest('nearest_neighbour')
    assert svm == digest('plain_svm', body='resnet34') == digest('plain_svm', settings=replace(SETTINGS, precision='float32', bs=8))
    assert near == digest('nearest_neighbour', settings=replace(SETTINGS, bs=8), about='other words', color='#000000')
    others = [digest('plain_svm', params=(('C', 1.),)), digest('plain_svm', fit=fit_neighbours), digest('plain_svm', task=permuted(task)),
              digest('plain_svm', settings=Settings(size=64)), near, digest('nearest_neighbour', body='resnet34'), digest('random_probe'),
              digest('nearest_neighbour', settings=replace(SETTINGS, precision='float32'))]
    assert len({svm, *others}) == 1 + len(others)


def test_a_rival_of_ones_own():
    def fit_red(x, y, x_valid, y_valid, n_classes, sure=.9):
        "Red where the thumbnail's first number is large"
        def predict(x):
            red = np.where(x[:, :1] > .5, sure, (1 - sure)/2)
            return np.log(np.concatenate([red, (1 - red)/2, (1 - red)/2], 1))
        return predict
    row = run_rival(coloured(), Rival('red', 'red or not', 'plain', fit_red, (('sure', .8),)), 30, 0, SETTINGS).row
    assert row['strategy'] == 'red' and row['test_score'] > .5


@pytest.mark.parametrize('rival, body, said', [
    ('plain_svn', 'resnet18', "plain_svm"), ('nearest_neighbour', 'convnet', "'convnet' has none"), ('random_probe', 'resnet19', "cannot stage 'resnet19'")])
def test_what_can_not_be_meant(rival, body, said):
    with pytest.raises(ValueError, match=said): run_rival(coloured(), rival, 30, 0, SETTINGS, body)
