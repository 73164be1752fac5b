"What goes wrong: interrupted and killed runs, trials that fail, damaged pictures, and the traps of fastai, each next to what plain fastai does"

import io
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import zlib
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tl_vs_scratch as tlvs
import torch
from commands import commands, paint_folder, stored, until
from fastai.vision.all import (Callback, CategoryBlock, DataBlock, ImageBlock, IndexSplitter, Learner, Normalize, PILImage, PILImageBW, Resize, imagenet_stats,
                               resnet18, vision_learner)
from fastai.vision.all import params as params_of
from PIL import Image
from psutil import STATUS_ZOMBIE, NoSuchProcess, Process
from tl_vs_scratch.fast.memory import keep_freed_memory
from tl_vs_scratch.fast.switch import switch
from tl_vs_scratch.studies.workers import train_one
from tl_vs_scratch.tasks.decoding import picture_digest
from tl_vs_scratch.training import trial as engine
from tl_vs_scratch.training.recipes import Settings, Trial, parse_strategy
from tl_vs_scratch.training.refits import find_length
from torch import nn

TINY = dict(preset='exhaustive', max_steps=20, size=32, jobs=1, progress=False)
SMALL = Settings(max_steps=20, size=32)


@pytest.fixture(scope='module')
def command(): return commands()


def quiet(learn, f):
    with learn.no_bar(), learn.no_logging(): return f(learn)


def copied(module): return {k: v.detach().clone() for k, v in module.state_dict().items()}
def moved(module, before): return [k for k, v in module.state_dict().items() if not torch.equal(v, before[k])]


# --- interrupted and killed ---

SEEDS = 6
WORDS = ['compare', 'photos', '--strategies', 'scratch:convnet', '--sizes', '12', '--seeds', SEEDS, '--jobs', '1', '--out', 'out']


def stop_in_the_middle(command, folder, signal_number):
    "Start the command, wait for its first finished trial, and send a signal"
    paint_folder(folder/'photos')
    pid = command.start(*WORDS, cwd=folder)
    until(lambda: stored(folder/'out'))
    os.kill(pid, signal_number)
    return command.end(pid)


def check_goes_on(command, folder):
    "What was finished is there and stays as it is; the same command trains the rest, and only that"
    with closing(sqlite3.connect(folder/'out/study.db')) as db: assert db.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
    before = stored(folder/'out')
    assert 1 <= len(before) < SEEDS
    done = command(*WORDS, cwd=folder)
    after = stored(folder/'out')
    assert done.status == 0 and f'Trained {SEEDS - len(before)} trial' in done.out
    assert [r[2] for r in after] == list(range(SEEDS)) and set(before) <= set(after)


def test_ctrl_c(command, tmp_path):
    done = stop_in_the_middle(command, tmp_path, signal.SIGINT)
    assert done.status == 130 and 'Traceback' not in done.err
    assert len(done.sentences) == 1 and 'kept' in done.sentences[0], done.sentences
    check_goes_on(command, tmp_path)


def test_kill(command, tmp_path):
    assert stop_in_the_middle(command, tmp_path, signal.SIGKILL).status == -signal.SIGKILL
    check_goes_on(command, tmp_path)


PARENT = """
import os, time
from tl_vs_scratch.studies.crews import Processes, outcomes

def work():
    print(os.getpid(), flush=True)
    time.sleep(120)

calls = [work, work]
list(outcomes(lambda: calls.pop() if calls else None, Processes(2)))
"""


def at_work(pid):
    "Does it run, and is not only waiting to be forgotten?"
    try: return Process(pid).status() != STATUS_ZOMBIE
    except NoSuchProcess: return False


def test_workers_end_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, '-c', PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.wait()
    until(lambda: not any(map(at_work, workers)))


# --- trials that fail ---

@pytest.fixture(scope='module')
def task(tmp_path_factory): return tlvs.from_folder(paint_folder(tmp_path_factory.mktemp('in')/'toy', classes='abc', each=30), size=32)


def test_failed_trial_is_tried_again(task, tmp_path, monkeypatch):
    "The others go on; the next run repeats what failed, and only that"
    run, calls = engine.run_trial, []
    def sometimes(broken):
        def run_trial(task, strategy, n, seed, **kw):
            calls.append(seed)
            if seed in broken: raise broken[seed]
            return run(task, strategy, n, seed, **kw)
        return run_trial
    def compare(broken):
        calls.clear()
        monkeypatch.setattr(engine, 'run_trial', sometimes(broken))
        return tlvs.compare(task, sizes=[12], seeds=3, strategies=['scratch'], body='convnet', out=tmp_path, **TINY)
    study = compare({0: RuntimeError('out of luck'), 2: MemoryError('too big')})
    assert study.results.status.tolist() == ['failed', 'learning', 'failed'] and calls == [0, 1, 2]
    assert study.results.error.tolist() == ['RuntimeError: out of luck', '', 'MemoryError: too big']
    assert study.results.test_score.notna().tolist() == [False, True, False]
    assert '2 trials failed' in str(study.summary())
    assert 'in run_trial' in study.tracebacks()['scratch', 12, 0] and 'out of luck' in study.tracebacks()['scratch', 12, 0]
    assert set(study.tracebacks()) == {('scratch', 12, 0), ('scratch', 12, 2)}
    kept = study.results.iloc[1]
    study = compare({2: KeyError('again')})
    assert calls == [0, 2] and study.results.status.tolist() == ['learning', 'learning', 'failed']
    assert study.results.iloc[1].equals(kept)
    study = compare({})
    assert calls == [2] and study.results.status.tolist() == ['learning']*3 and study.results.error.tolist() == ['']*3
    assert compare({0: AssertionError}).trained == 0 and calls == []


def test_a_trial_gives_its_memory_back(task, monkeypatch):
    "joblib takes a worker that has grown by 300 MB for a leaking one and starts another"
    def needs_much(*args, **kw):
        if not keep_freed_memory(): pytest.skip('this C library gives memory back by itself')
        return [torch.ones(2**18) for _ in range(400)] and Trial({}, [], {})
    monkeypatch.setattr(engine, 'run_trial', needs_much)
    before = Process().memory_info().rss
    train_one(task, parse_strategy('linear_probe', 'resnet18'), 12, 0, None, 1)
    assert Process().memory_info().rss - before < 10**8


class Falls(Callback):
    "Out of memory in the middle of the first step, or interrupted"
    def __init__(self, error): self.error = error
    def after_pred(self): raise self.error


@pytest.mark.parametrize('error', [MemoryError('too big'), KeyboardInterrupt()])
def test_a_training_that_falls_leaves_nothing_running(error, task):
    "No thread that looks at the memory, no counter of operations, and the fast ways as they were"
    from torch.utils._python_dispatch import _get_current_dispatch_mode_stack as counters
    before = threading.active_count()
    try: trial = train_one(task, parse_strategy('scratch', 'convnet'), 12, 0, SMALL, 1, cbs=[Falls(error)])
    except KeyboardInterrupt: assert isinstance(error, KeyboardInterrupt)
    else: assert trial.row['error'] == 'MemoryError: too big'
    assert (threading.active_count(), counters(), switch.wishes) == (before, [], [])


def test_loss_that_is_no_number(task, tmp_path):
    "The real thing: the rate is beyond reason; the sentence names the step, the study goes on"
    wild = tlvs.Strategy('wild', 'random', (tlvs.Phase(train='all', lr=1e30),))
    def compare(): return tlvs.compare(task, sizes=[12], seeds=2, strategies=[wild, 'scratch'], body='convnet', out=tmp_path, **TINY)
    study = compare()
    assert study.results.status.tolist() == ['failed', 'learning']*2
    assert study.results.error[0].startswith('FloatingPointError: the loss became ') and ' at step ' in study.results.error[0]
    assert compare().trained == 2


@pytest.fixture
def too_high(monkeypatch):
    "The loss is no number from step 20 on, at rates above that which is given"
    most, train = [1.], engine.Training.train
    def falls(self, steps):
        if self.lr_factor > most[0] and self.steps >= 20: raise FloatingPointError('the loss became nan')
        train(self, steps)
    monkeypatch.setattr(engine.Training, 'train', falls)
    return most


def test_one_rate_that_is_too_high_costs_its_own_time_only(task, too_high):
    "Of three rates the highest diverges: the best of the others is taken; where none is left, the trial fails"
    settings = replace(SMALL, tune=3, max_steps=30)
    def tuned(): return engine.run_trial(task, 'scratch', 12, body='convnet', settings=settings)
    trial = tuned()
    kept = {factor: [at.step for at in trial.path if at.lr_factor == factor] for factor in settings.lr_factors}
    assert list(kept.values()) == [[20, 28, 30], [20, 28, 30], [20]] and trial.row['lr'] < 2e-2
    assert trial.row['seconds_tuning'] > sum(at.seconds for at in trial.path if at.step == 20 and at.lr_factor > 1)
    length = find_length(task, parse_strategy('scratch', 'convnet'), settings, progress=False)
    assert length.steps == (30,) and length.lr_factor <= 1
    too_high[0] = 0.
    with pytest.raises(FloatingPointError, match='became nan'): tuned()
    with pytest.raises(FloatingPointError, match='became nan'): find_length(task, parse_strategy('scratch', 'convnet'), settings, progress=False)


def test_a_loss_that_is_no_number_is_the_worst():
    def training(*valid): return SimpleNamespace(diverged=None, path=[SimpleNamespace(outputs=dict(valid=np.array([valid])))], targets=dict(valid=[0]))
    first, second = training(np.nan, 1.), training(1., 2.)
    assert engine.best_of([first, second]) is second


def test_a_race_tries_again_what_failed(task, tmp_path):
    wild = tlvs.Strategy('wild', 'random', (tlvs.Phase(train='all', lr=1e30),))
    grid = dict(sizes=[12], seeds=1, strategies=[wild, 'scratch'], body='convnet', out=tmp_path, **TINY)
    first, again = (tlvs.compare(task, budget='60s', **grid) for _ in range(2))
    assert first.results.status.tolist() == ['failed', 'learning'] and (first.trained, again.trained) == (2, 1)


def test_interrupt_is_no_failed_trial(task, tmp_path, monkeypatch):
    "Ctrl-C in the middle of a trial leaves no row of it"
    run = engine.run_trial
    def run_trial(task, strategy, n, seed, **kw):
        if seed == 1: raise KeyboardInterrupt
        return run(task, strategy, n, seed, **kw)
    grid = dict(sizes=[12], seeds=3, strategies=['scratch'], body='convnet', out=tmp_path, **TINY)
    monkeypatch.setattr(engine, 'run_trial', run_trial)
    with pytest.raises(KeyboardInterrupt): tlvs.compare(task, **grid)
    monkeypatch.setattr(engine, 'run_trial', run)
    study = tlvs.compare(task, **grid)
    assert study.trained == 2 and study.results.status.tolist() == ['learning']*3


# --- damaged pictures ---

def encoded(kind, size=(40, 40), **kw):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, kind, **kw)
    return buffer.getvalue()


def claims_size(side):
    "A small PNG whose header says that it is `side` pixels wide and high"
    data = bytearray(encoded('PNG'))
    data[16:24] = struct.pack('>II', side, side)
    data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return bytes(data)


def odd_exif():
    "A sound picture whose EXIF block gives its width as text"
    rows = struct.pack('<HHIHH', 0x112, 3, 1, 6, 0) + struct.pack('<HHII', 0x100, 2, 1, 8)
    return encoded('JPEG', exif=b'Exif\0\0II*\0' + struct.pack('<IH', 8, 2) + rows + struct.pack('<I', 0))




DAMAGED = {
    'empty.jpg': lambda: b'',
    'text.jpg': lambda: b'Dear diary, today I was named .jpg\n',
    'half.jpg': lambda: encoded('JPEG')[:700],
    'half.png': lambda: encoded('PNG')[:2000],
    'half.gif': lambda: encoded('GIF')[:500],
    'header_only.bmp': lambda: encoded('BMP')[:54],
    'rotten.png': lambda: encoded('PNG')[:100] + bytes(300) + encoded('PNG')[400:],
    'enormous.png': lambda: claims_size(60_000),
    'endless.png': lambda: claims_size(2**31 - 1),
    'too_large.png': lambda: claims_size(3_000),
}


@pytest.fixture
def good(tmp_path): return paint_folder(tmp_path/'pets', classes=['cat', 'dog'], each=50)


def test_damaged_pictures_are_listed_and_skipped(good):
    for name, data in DAMAGED.items(): (good/'cat'/name).write_bytes(data())
    (good/'dog/gone.png').symlink_to(good/'nowhere.png')
    task = tlvs.from_folder(good)
    assert dict(task.dropped.values) == {f'cat/{n}': 'cannot be read' for n in DAMAGED} | {'dog/gone.png': 'cannot be read'}
    assert len(task) == 100 and f'{len(DAMAGED) + 1} left out: cannot be read' in repr(task)
    x, y = task.dls(20, size=32).train.one_batch()
    assert torch.isfinite(x).all()


@pytest.mark.parametrize('name', DAMAGED)
def test_each_alone_is_no_picture(name, tmp_path):
    path = tmp_path/name
    path.write_bytes(DAMAGED[name]())
    assert picture_digest(path, 'RGB', 32) is None


def test_damaged_exif_block(good, recwarn):
    "The picture itself is sound: it is used, or listed; it is never a traceback"
    (good/'cat/odd.jpg').write_bytes(odd_exif())
    task = tlvs.from_folder(good)
    assert 'cat/odd.jpg' in [*task.ids, *task.dropped.id]


def test_more_than_a_tenth_is_too_much(good, command):
    for i in range(11): (good/'dog'/f'bad{i}.jpg').write_bytes(b'')
    assert len(tlvs.from_folder(good).dropped) == 11, '11 of 111 are no more than a tenth'
    (good/'cat/bad.jpg').write_bytes(b'')
    with pytest.raises(ValueError, match='12 of 112 pictures cannot be read') as e: tlvs.from_folder(good)
    assert all(f'dog/bad{i}.jpg' in str(e.value) for i in range(11)) and 'cat/bad.jpg' in str(e.value)
    done = command('compare', good, '--out', good.parent/'out')
    assert done.status == 2 and len(done.sentences) == 1 and 'cat/bad.jpg' in done.err and not (good.parent/'out').exists()


# --- the traps of fastai ---

def their_dls(task, items, bs=8, cls=PILImage, tfms=(), size=32):
    "DataLoaders as a user of fastai makes them"
    block = DataBlock((ImageBlock(cls), CategoryBlock), get_x=lambda i: task.sources[i], get_y=lambda i: task.classes[task.labels[i]],
                      splitter=IndexSplitter(range(4)), item_tfms=Resize(size), batch_tfms=list(tfms))
    return block.dataloaders([int(i) for i in items], bs=bs, num_workers=0)


@pytest.fixture
def items(task): return np.concatenate(task.subset(20))


@pytest.fixture
def plain_dls(task, items): return their_dls(task, items)


@pytest.fixture
def dls(task): return task.dls(20, bs=8)


def plain(dls, **kw): return vision_learner(dls, resnet18, pretrained=False, **kw)


def small(dls):
    "A learner of ours with a small frozen body; freezing is the same for every body"
    learn = tlvs.scratch_learner(dls, 'convnet')
    learn.freeze()
    return learn


def test_few_labels_and_a_large_batch(task, items):
    "Plain: no batch at all, and `fit` trains nothing without a word. Ours: every example, at once"
    theirs = their_dls(task, items, bs=64)
    assert len(theirs.train) == 0
    learn = plain(theirs)
    before = copied(learn.model)
    quiet(learn, lambda l: l.fit(1, 1e-2))
    assert moved(learn.model, before) == []
    ours = task.dls(20, bs=64)
    assert len(ours.train) == 1 and len(ours.train.one_batch()[0]) == len(ours.train_ds)
    learn = tlvs.scratch_learner(ours, 'convnet')
    before = copied(learn.model)
    quiet(learn, lambda l: l.fit(1, 1e-2))
    assert 'head.weight' in moved(learn.model, before)


def test_lr_find_with_few_labels(task, items):
    "Plain: fails on zero batches. Ours: gives a rate, and leaves the weights alone"
    with pytest.raises(Exception): quiet(plain(their_dls(task, items, bs=64)), lambda l: l.lr_find(show_plot=False, num_it=12))
    learn = tlvs.pretrained_learner(task.dls(20, bs=64))
    before = copied(learn.model)
    assert 0 < quiet(learn, lambda l: l.lr_find(show_plot=False, num_it=12)).valley < 10
    assert moved(learn.model, before) == [] and stages_trained(learn) == 0


def stages_trained(learn): return sum(p.requires_grad for p in learn.model.stages.parameters())


def first_input(learn, module, x):
    "What a module deep in the network gets when the pictures `x` are given"
    seen = []
    hook = module.register_forward_pre_hook(lambda m, inp: seen.append(inp[0].detach().as_subclass(torch.Tensor).clone()))
    try:
        with torch.no_grad(): learn.model.eval()(x)
    finally: hook.remove()
    return seen[0]


def first_conv(model): return next(m for m in model.modules() if isinstance(m, nn.Conv2d))


def test_scratch_sees_what_pretrained_sees(task, items, dls):
    "Plain: without pretrained weights the pictures stay in 0..1. Ours: normalised, whatever the start"
    theirs = plain(their_dls(task, items))
    assert not any(isinstance(t, Normalize) for t in theirs.dls.after_batch)
    x = theirs.dls.valid.one_batch()[0]
    assert 0 <= first_input(theirs, first_conv(theirs.model), x).min()
    x = dls.valid.one_batch()[0]
    scratch, pretrained = (first_input(l, l.model.stages.stem, x) for l in (tlvs.scratch_learner(dls), tlvs.pretrained_learner(dls)))
    assert torch.equal(scratch, pretrained) and torch.allclose(scratch, (x.as_subclass(torch.Tensor) - .5)/.5)
    assert scratch.min() < 0
    resnet = tlvs.scratch_learner(dls, 'resnet18')
    mean, std = (torch.tensor(o).view(1, 3, 1, 1) for o in imagenet_stats)
    assert torch.allclose(first_input(resnet, resnet.model.stages.stem, x), (x.as_subclass(torch.Tensor) - mean)/std, atol=1e-6)


def test_statistics_of_frozen_batchnorm(plain_dls, dls):
    "Plain: they move in a frozen body. Ours: not one number"
    theirs = plain(plain_dls)
    theirs.freeze()
    before = copied(theirs.model[0])
    quiet(theirs, lambda l: l.fit(1, 1e-2))
    assert any(k.endswith('running_mean') for k in moved(theirs.model[0], before))
    ours = small(dls)
    before, head = copied(ours.model.stages), copied(ours.model.head)
    quiet(ours, lambda l: l.fit(1, 1e-2))
    assert moved(ours.model.stages, before) == [] and moved(ours.model.head, head)


def test_weight_decay_of_frozen_weights(plain_dls, dls):
    "Plain: after unfreeze and freeze, old gradients let weight decay shrink what is frozen. Ours: bit for bit the same"
    def after(learn, body, freeze):
        quiet(learn, lambda l: (l.unfreeze(), l.fit(1, 1e-3), freeze(l)))
        before = copied(body)
        quiet(learn, lambda l: l.fit(1, 1e-2, wd=.5))
        return moved(body, before)
    theirs = plain(plain_dls, train_bn=False)
    assert '0.weight' in after(theirs, theirs.model[0], lambda l: l.freeze())
    ours = small(dls)
    assert after(ours, ours.model.stages, lambda l: l.freeze()) == []
    ours = small(dls)
    assert after(ours, ours.model.stages, lambda l: tlvs.freeze_to(l, -1)) == []


def test_one_parameter_group(plain_dls, dls):
    "Plain: `freeze` freezes nothing and says nothing. Ours: one group per stage, and freeze_to refuses a learner with one group"
    theirs = Learner(plain_dls, tlvs.convnet(), loss_func=nn.CrossEntropyLoss())
    count = lambda l: sum(p.numel() for p in l.model.parameters() if p.requires_grad)
    before = count(theirs)
    theirs.freeze()
    assert count(theirs) == before
    with pytest.raises(ValueError, match='one parameter group'): tlvs.freeze_to(theirs, -1)
    ours = tlvs.pretrained_learner(dls)
    ours.create_opt()
    assert len(ours.opt.param_lists) == 10 and count(tlvs.freeze_to(ours, -1)) == 1280*3 + 3
    timm_learner = vision_learner(plain_dls, 'tf_efficientnet_lite0', pretrained=False)
    timm_learner.create_opt()
    assert len(timm_learner.opt.param_lists) == 2, 'a body from timm is one group for plain fastai'


@pytest.mark.parametrize('renew', ['create_opt', 'export', 'reset_opt'])
def test_new_optimiser_keeps_the_freezing(renew, dls, plain_dls, tmp_path):
    "Plain: the new optimiser's frozen_idx is 0, as if nothing were frozen. Ours: the same stages stay frozen, strictly"
    def again(learn):
        learn.path = tmp_path
        if renew == 'create_opt': learn.create_opt()
        if renew == 'export': learn.export('e.pkl')
        quiet(learn, lambda l: l.fit(1, 1e-2, reset_opt=renew == 'reset_opt', wd=.5))
    theirs = plain(plain_dls)
    theirs.freeze()
    if renew != 'export': # `get_x` above is a lambda, which plain fastai can't export
        assert theirs.opt.frozen_idx == 2
        before = copied(theirs.model[0])
        again(theirs)
        assert theirs.opt.frozen_idx == 0 and moved(theirs.model[0], before)
    ours = tlvs.freeze_to(small(dls), -2)
    before = copied(ours.model.stages)
    again(ours)
    changed = moved(ours.model.stages, before)
    assert changed and all(k.startswith('conv4.') for k in changed)
    table = tlvs.stage_table(ours)
    assert (table.trainable[:-2] == 0).all() and (table.trainable[-2:] > 0).all() and set(table.batchnorm[:-2]) == {'frozen'}


def test_thawing_keeps_adams_state(dls, plain_dls):
    "Plain: `freeze_to` forgets every moment. Ours: keeps those of what goes on training"
    def step_of(learn):
        state = learn.opt.state[params_of(learn.model)[-1]]
        return state.get('step'), state.get('grad_avg')
    theirs = plain(plain_dls)
    quiet(theirs, lambda l: (l.freeze(), l.fit(1)))
    assert step_of(theirs)[0] > 0
    theirs.freeze_to(-2)
    assert step_of(theirs) == (None, None)
    ours = tlvs.freeze_to(small(dls), -1)
    quiet(ours, lambda l: l.fit(1))
    step, average = step_of(ours)
    step, average = int(step), average.clone() # both are changed in place
    tlvs.freeze_to(ours, -3)
    assert step_of(ours)[0] == step > 0 and torch.equal(step_of(ours)[1], average)
    quiet(ours, lambda l: l.fit(1))
    assert step_of(ours)[0] == step + len(dls.train)


@pytest.mark.parametrize('cls', [PILImage, PILImageBW])
@pytest.mark.parametrize('body, stats', [('tf_efficientnet_lite0', 'own'), ('convnet', 'none'), ('convnet', 'own'), ('convnet', 'measured')])
def test_any_dataloaders(body, cls, stats, task, items):
    "Colour or grey, normalised or not: the first stage gets the same numbers, and training and prediction work"
    channels = 3 if cls is PILImage else 1
    own = ([.3, .4, .5][:channels], [.2, .1, .25][:channels])
    tfms = {'none': [], 'own': [Normalize.from_stats(*own, cuda=False)], 'measured': [Normalize()]}[stats]
    dls = their_dls(task, items, cls=cls, tfms=tfms)
    learn = tlvs.scratch_learner(dls, body) if body == 'convnet' else tlvs.pretrained_learner(dls, body)
    x, raw = dls.valid.one_batch()[0], their_dls(task, items, cls=cls).valid.one_batch()[0]
    assert torch.equal(x, raw) == (stats == 'none')
    want = (raw.as_subclass(torch.Tensor) - .5)/.5
    got = first_input(learn, learn.model.stages[0], x)
    assert got.shape[1] == (1 if body == 'convnet' else 3)*(channels == 1) + 3*(channels == 3)
    assert torch.allclose(got, want.expand_as(got), atol=1e-5)
    quiet(learn, lambda l: l.fit(1, 1e-3))
    with learn.no_bar(): predictions, _ = learn.get_preds()
    assert predictions.shape == (4, 3) and torch.allclose(predictions.sum(1), torch.ones(4), atol=1e-5)


def test_grey_pictures_normalised_for_colour(task, items):
    "fastai's Normalize with three means turns one channel into three"
    dls = their_dls(task, items, cls=PILImageBW, tfms=[Normalize.from_stats(*imagenet_stats, cuda=False)])
    raw = their_dls(task, items, cls=PILImageBW).valid.one_batch()[0].as_subclass(torch.Tensor)
    learn = tlvs.pretrained_learner(dls)
    got = first_input(learn, learn.model.stages.stem, dls.valid.one_batch()[0])
    assert torch.allclose(got, ((raw - .5)/.5).expand_as(got), atol=1e-5)
    assert learn.model(dls.valid.one_batch()[0]).shape == (4, 3)


def test_grey_pictures_normalised_for_colour_and_a_body_of_their_own(task, items):
    dls = their_dls(task, items, cls=PILImageBW, tfms=[Normalize.from_stats(*imagenet_stats, cuda=False)])
    quiet(tlvs.scratch_learner(dls, 'convnet'), lambda l: l.fit(1, 1e-3))
