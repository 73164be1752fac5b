"Cached activations: every strategy, other networks, many processes at once, a cache that cannot be written"

import multiprocessing
import os
import time
from dataclasses import replace

import numpy as np
import pytest
import tl_vs_scratch as tlvs
import torch
from commands import paint_folder
from fastai.vision.all import (SGD, CategoryBlock, DataBlock, ImageBlock, IndexSplitter, PILImage, RandTransform, Resize, aug_transforms, get_image_files,
                               set_seed)
from PIL import Image
from tl_vs_scratch.basics.session import session
from tl_vs_scratch.fast.switch import faster, plain
from tl_vs_scratch.networks.bodies import create_backbone
from tl_vs_scratch.training import features, precision, tables
from tl_vs_scratch.training.caching import CachedPrefix, cached_prefix
from tl_vs_scratch.training.costs import CostMeter
from tl_vs_scratch.training.features import Features, FrozenForward
from tl_vs_scratch.training.learners import staged_learner
from tl_vs_scratch.training.precision import STATE_TOLERANCE
from tl_vs_scratch.training.recipes import STRATEGIES, Phase, Settings, Strategy
from tl_vs_scratch.training.tables import cached_tables, clear_cache
from tl_vs_scratch.training.trial import run_trial
from tl_vs_scratch.training.unfreezing import GradualUnfreezing, UnfreezeOnPlateau
from torch import nn

SETTINGS = Settings(size=32, max_steps=8, bs=8, augment=False)


@pytest.fixture(autouse=True)
def own_cache(tmp_path):
    os.environ['TLVS_CACHE_DIR'] = str(tmp_path/'cache')
    session.empty()
    with faster(): yield # as in a study
    session.empty()


@pytest.fixture(scope='module')
def task(tmp_path_factory): return tlvs.from_folder(paint_folder(tmp_path_factory.mktemp('painted')), size=32)


def quiet(learn, f):
    with learn.no_bar(), learn.no_logging(): return f()


@pytest.mark.parametrize('body', ['tf_efficientnet_lite0', 'resnet18', 'own'])
@pytest.mark.parametrize('frozen', ['body', 'middle'])
def test_weights_are_those_without_a_cache(task, body, frozen):
    "Dropout included; networks of other families, and modules of one's own"
    def trained(cached):
        set_seed(0)
        stages = dict(a=nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.BatchNorm2d(8), nn.ReLU()), b=nn.Sequential(nn.Conv2d(8, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU()),
                      c=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        net = create_backbone(stages if body == 'own' else body, **({} if body == 'own' else dict(pretrained=False)))
        learn = staged_learner(task.dls(12, augment=False, bs=4), net, lambda i, o: nn.Sequential(nn.Dropout(.5), nn.Linear(i, o)), opt_func=SGD)
        tlvs.freeze_to(learn, -1 if frozen == 'body' else len(net.stages) - 2)
        def fit():
            if not cached: return learn.fit_one_cycle(2, 1e-3)
            with cached_prefix(learn, precision='float32') as prefix:
                whole = len(net.stages) - (body == 'own') # a stage without weights, as `c` is, counts with what follows it
                assert prefix.cut == (whole if frozen == 'body' else len(net.stages) - 2)
                learn.fit_one_cycle(2, 1e-3)
        before = {k: v.double().clone() for k, v in learn.model.state_dict().items()}
        quiet(learn, fit)
        return {k: v.double() - before[k] for k, v in learn.model.state_dict().items()}
    plain, cached = trained(False), trained(True)
    assert sum(v.norm() > 0 for v in plain.values()) >= 2
    for k in plain: assert (plain[k] - cached[k]).norm() <= 1e-4*plain[k].norm() + 1e-6, k


@pytest.mark.parametrize('name', [s.name for s in STRATEGIES.values() if s.start == 'pretrained'])
def test_second_trial_finds_everything_and_is_the_same(task, name, monkeypatch):
    first = run_trial(task, name, 12, 0, settings=SETTINGS)
    session.empty('tables') # as in another process
    passes = []
    forward = FrozenForward.__call__
    monkeypatch.setattr(FrozenForward, '__call__', lambda self, x, cuts: passes.append(len(x)) or forward(self, x, cuts))
    second = run_trial(task, name, 12, 0, settings=SETTINGS)
    assert passes == []
    np.testing.assert_array_equal(second.outputs['test'], first.outputs['test'])
    assert second.row['flops'] == first.row['flops'] # charged alike, whoever computed


def test_no_picture_goes_twice_through_a_frozen_stage(task, monkeypatch):
    "Seeds and sizes are slices of one table"
    seen = []
    fill = CachedPrefix.fill
    def watched(self, dl, idxs, view=0):
        table, rows = self.features.table(dl, self.cut, view), self.features.examples(dl).rows[list(idxs)].unique()
        seen.extend(rows[~table.filled[rows]].tolist())
        fill(self, dl, idxs, view)
    monkeypatch.setattr(CachedPrefix, 'fill', watched)
    for n in (8, 12):
        for seed in (0, 1): run_trial(task, 'linear_probe', n, seed, settings=SETTINGS)
    assert len(seen) == len(set(seen)) > 12


def test_gradual_unfreezing_makes_one_pass(task, monkeypatch):
    "The states of all its cuts come from the first one"
    cuts = []
    forward = FrozenForward.__call__
    monkeypatch.setattr(FrozenForward, '__call__', lambda self, x, tables: cuts.append((len(x), sorted(tables))) or forward(self, x, tables))
    strategy = Strategy('three', 'pretrained', (Phase(train='head', steps=2), Phase(train=1, steps=2), Phase(train=3, steps=2)))
    run_trial(task, strategy, 12, 0, settings=Settings(size=32, bs=8, augment=False, precision='float32'))
    assert {tuple(c) for _, c in cuts[:1]} == {(6, 8, 9)}
    before_test = [k for _, k in cuts if k != [6]]
    assert len(before_test) <= 2 # labelled pictures for training and for validation


@pytest.mark.parametrize('schedule', [lambda: GradualUnfreezing(), lambda: GradualUnfreezing(2, 'step'), lambda: UnfreezeOnPlateau(min_delta=9.)])
def test_a_schedule_makes_one_pass(task, schedule, monkeypatch):
    "What it can thaw in three epochs, two stages, is kept from the first pass, and no more than that"
    passes, forward = [], FrozenForward.__call__
    monkeypatch.setattr(FrozenForward, '__call__', lambda self, x, tables: passes.append((len(x), set(tables))) or forward(self, x, tables))
    learn = tlvs.pretrained_learner(task.dls(12, augment=False, bs=4))
    with cached_prefix(learn, precision='float32') as prefix: quiet(learn, lambda: learn.fit(3, cbs=schedule()))
    assert prefix.cut < 9 # it has thawed
    assert sum(n for n, _ in passes) == 12
    assert all(cuts == {7, 8, 9} for _, cuts in passes)


def _work(root, folder, seed, out):
    os.environ['TLVS_CACHE_DIR'] = str(folder)
    torch.set_num_threads(1)
    trial = run_trial(tlvs.from_folder(root, size=32), 'linear_probe', 12, seed, settings=SETTINGS)
    out.put((seed, trial.row['test_score']))


def test_the_plain_way_and_the_packed_one_agree(task):
    "What a user gets and what a study computes: the same features, in tables of their own"
    with plain(): slow = tlvs.task_features(task, size=48)
    fast = tlvs.task_features(task, size=48)
    assert len(cached_tables()) == 2
    kept = {table.values.dtype for table in session.drawer('tables').values()} # found by each way for itself
    away = np.linalg.norm(fast - slow)/np.linalg.norm(slow)
    if kept == {torch.float16}: np.testing.assert_allclose(fast, slow, rtol=1e-3, atol=1e-3)
    else: assert away < 2*STATE_TOLERANCE # each way was taken because it is at most so far from the exact state


@pytest.mark.parametrize('body', ['tf_efficientnet_lite0', 'resnet18', 'convnet'])
@pytest.mark.parametrize('size', [32, 45])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_a_packed_pass_gives_what_a_plain_one_does(body, size, dtype):
    net, x = create_backbone(body, pretrained=False).eval(), torch.rand(4, 3, size, size)
    cuts = set(range(1, len(net.stages) + 1))
    plain_pass, packed_pass = (FrozenForward(net, max(cuts), dtype, sample) for sample in (None, x[:2]))
    for (k, slow, _), (same, fast, _) in zip(plain_pass(x, cuts), packed_pass(x, cuts), strict=True):
        assert k == same and slow.dtype == fast.dtype == dtype
        away = (fast - slow).norm()/slow.norm()
        assert away < (1e-3 if dtype == torch.float32 else STATE_TOLERANCE), (k, away)
    with torch.no_grad(): exact = net.activations(x, max(cuts)).as_subclass(torch.Tensor)
    if dtype == torch.float32: assert slow.equal(exact) # the plain way, to the last bit


def test_modules_that_print_alike_have_tables_of_their_own(task):
    class Scale(nn.Module):
        def __init__(self, by): super().__init__(); self.by = by
        def forward(self, x): return self.by*x
    def found(by):
        body = dict(a=nn.Sequential(nn.Conv2d(3, 8, 3, 4), Scale(by), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        torch.manual_seed(0)
        for p in body['a'].parameters(): nn.init.ones_(p)
        return tlvs.task_features(task, body, precision='float32')
    once, twice, again = found(1.), found(2.), found(1.)
    np.testing.assert_allclose(twice, 2*once, rtol=1e-5)
    np.testing.assert_array_equal(again, once)
    assert len(cached_tables()) == 2


def test_only_the_meter_that_is_given_pays(task):
    def charged(**kwargs):
        set_seed(0)
        learn, meter = tlvs.pretrained_learner(task.dls(12, augment=False)), CostMeter()
        with cached_prefix(learn, task=task, **{k: meter for k in kwargs}): quiet(learn, lambda: learn.fit(2, cbs=meter))
        return meter.flops
    free, cold, warm = charged(), charged(meter=True), charged(meter=True)
    per_example = CachedPrefix(tlvs.pretrained_learner(task.dls(12))).features.flops[-1]
    assert cold == warm == free + 12*per_example


def test_processes_fill_one_table_together(task, tmp_path):
    root, folder = task.sources[0].parent.parent, tmp_path/'shared'
    context = multiprocessing.get_context('fork')
    out = context.Queue()
    workers = [context.Process(target=_work, args=(root, folder, seed, out)) for seed in (0, 1)]
    for w in workers: w.start()
    found = dict(out.get(timeout=120) for _ in workers)
    for w in workers: w.join()
    os.environ['TLVS_CACHE_DIR'] = str(folder)
    tables = cached_tables()
    assert len(tables) == 1 and tables['rows'][0] >= 12 + len(task.test_idxs)
    assert [p.name for p in folder.iterdir() if p.suffix == '.tmp'] == []
    alone = {seed: run_trial(task, 'linear_probe', 12, seed, settings=SETTINGS).row['test_score'] for seed in (0, 1)}
    assert found == alone


def test_a_table_goes_on_in_the_arithmetic_that_it_began_with(task, monkeypatch):
    def filled(n): # by a new process, as it were
        session.empty('tables')
        learn = tlvs.pretrained_learner(task.dls(12, augment=False))
        prefix, dl = CachedPrefix(learn, task=task), learn.dls.test_dl(task.paths(range(len(task))), num_workers=0)
        prefix.fill(dl, range(n)); prefix.write()
        return prefix.features.table(dl, prefix.cut)
    filled(4)
    monkeypatch.setattr(precision, 'STATE_TOLERANCE', -1.) # what a learner would choose by itself is now float32
    mixed = filled(len(task)).values.clone()
    clear_cache()
    assert filled(len(task)).values.dtype == torch.float32
    monkeypatch.undo()
    clear_cache()
    assert filled(len(task)).values.equal(mixed)


def test_processors_with_and_without_bfloat16_do_not_share_a_table(task, monkeypatch):
    paths = set()
    for can in (True, False):
        monkeypatch.setattr(features, 'fast_bfloat16', lambda device: can)
        learn = tlvs.pretrained_learner(task.dls(12, augment=False))
        prefix = CachedPrefix(learn, task=task)
        paths.add(prefix.features.table(learn.dls.valid, prefix.cut).path)
    assert len(paths) == 2


def test_a_write_that_fails_leaves_the_old_file(task, monkeypatch):
    learn = tlvs.pretrained_learner(task.dls(8, augment=False))
    with cached_prefix(learn, task=task): quiet(learn, lambda: learn.fit(1))
    kept = {p.name: p.read_bytes() for p in tables.cache_dir().glob('*.safetensors')}
    def full(*args, **kwargs): raise OSError('No space left on device')
    monkeypatch.setattr(tables, 'save_file', full)
    learn = tlvs.pretrained_learner(task.dls(12, seed=1, augment=False))
    with cached_prefix(learn, task=task): quiet(learn, lambda: learn.fit(1)) # the training is worth more than the cache
    assert {p.name: p.read_bytes() for p in tables.cache_dir().glob('*.safetensors')} == kept


def test_a_full_disk_is_made_no_fuller(monkeypatch):
    def full(tensors, path, **kwargs):
        path.write_bytes(b'half')
        raise OSError('No space left on device')
    monkeypatch.setattr(tables, 'save_file', full)
    table = tables.ActivationTable(2, (3,), torch.float32, 'cpu', tables.cache_dir()/'full.safetensors')
    table.put([0], torch.ones(1, 3), 1.)
    table.write()
    assert not list(tables.cache_dir().glob('full.[!l]*'))


@pytest.mark.parametrize('when', ['load_file', 'utime'])
def test_a_table_that_another_process_removes_while_it_is_read(when, monkeypatch, caplog):
    "Over the limit: it is as if it had not been there, or had been read before"
    def table(): return tables.ActivationTable(2, (3,), torch.float32, 'cpu', tables.cache_dir()/'old.safetensors')
    writer, reader = table(), table()
    writer.put([0], torch.ones(1, 3), 1.)
    writer.write()
    owner = os if when == 'utime' else tables
    plain = getattr(owner, when)
    def removed(path, *args, **kwargs):
        writer.path.unlink()
        return plain(path, *args, **kwargs)
    monkeypatch.setattr(owner, when, removed)
    reader.read()
    assert bool(reader.filled[0]) == (when == 'utime') and not caplog.messages
    monkeypatch.undo()
    reader.read()


def test_a_folder_that_can_not_be_written_costs_nothing_but_time(task, tmp_path):
    (tmp_path/'file').write_text('')
    os.environ['TLVS_CACHE_DIR'] = str(tmp_path/'file')
    assert run_trial(task, 'linear_probe', 12, 0, settings=SETTINGS).row['status'] == 'learning'


def test_an_interrupted_pass_keeps_what_it_has(task, monkeypatch):
    learn = tlvs.pretrained_learner(task.dls(12, augment=False))
    prefix, dl = CachedPrefix(learn, task=task), learn.dls.test_dl(task.paths(range(len(task))), num_workers=0)
    calls, forward = [], FrozenForward.__call__
    def stops(self, x, cuts):
        calls.append(1)
        if len(calls) == 3: raise KeyboardInterrupt
        return forward(self, x, cuts)
    prefix.features.storage(dl, prefix.cut)
    monkeypatch.setattr(Features, 'at_a_time', lambda self, dl: 4)
    monkeypatch.setattr(FrozenForward, '__call__', stops)
    with pytest.raises(KeyboardInterrupt): prefix.fill(dl, range(len(task)))
    assert 4 <= int(prefix.features.table(dl, prefix.cut).filled.sum()) < len(task)


class Remembers(RandTransform):
    "Keeps a picture's size between two steps, as fastai's crops and batch augmentations do; slow, so that threads meet"
    split_idx = None
    def before_call(self, b, split_idx): self.size = b[0].size; time.sleep(.002)
    def encodes(self, x:PILImage): return x.crop((0, 0, self.size[0]//2, self.size[1]//2))


def test_threads_do_not_share_the_state_of_transforms(tmp_path):
    for i in range(40): Image.fromarray(np.random.default_rng(i).integers(0, 256, (32 + 4*(i % 9),)*2 + (3,), np.uint8)).save(tmp_path/f'{i:02}.png')
    block = DataBlock((ImageBlock, CategoryBlock), get_items=get_image_files, get_y=lambda p: int(p.stem) % 2, item_tfms=[Remembers(p=1.), Resize(32)],
                      batch_tfms=aug_transforms(), splitter=IndexSplitter(range(4)))
    def values(threads):
        torch.set_num_threads(threads)
        learn = tlvs.pretrained_learner(block.dataloaders(tmp_path, bs=8, num_workers=0))
        prefix = CachedPrefix(learn, precision='float32')
        prefix.features.at_a_time = lambda dl: 8
        prefix.fill(learn.dls.train, range(len(learn.dls.train_ds)))
        return prefix.features.table(learn.dls.train, prefix.cut).values
    try: torch.testing.assert_close(values(3), values(1), rtol=1e-4, atol=1e-4)
    finally: torch.set_num_threads(1)


def test_sizes_do_not_share_what_depends_on_them(task):
    "Pictures of 64 pixels are halved evenly, those of 50 are not"
    for size in (64, 50):
        found = tlvs.task_features(task, size=size)
        learn = tlvs.pretrained_learner(task.dls(size=size, augment=False))
        batch = learn.dls.test_dl(task.paths(range(8)), num_workers=0).one_batch()[0]
        with torch.no_grad(): plain = learn.model.eval().activations(batch, 9).as_subclass(torch.Tensor).numpy()
        assert np.linalg.norm(found[:8] - plain) < STATE_TOLERANCE*np.linalg.norm(plain)


def test_a_cold_cache_draws_no_random_numbers(task):
    session.empty('passes')
    cold, warm = (run_trial(task, 'fine_tune', 12, 0, settings=replace(SETTINGS, augment=True)) for _ in range(2))
    np.testing.assert_array_equal(cold.outputs['test'], warm.outputs['test'])


def test_another_folder_is_another_cache(task, tmp_path):
    "Also for what this process holds already"
    run_trial(task, 'linear_probe', 12, 0, settings=SETTINGS)
    os.environ['TLVS_CACHE_DIR'] = str(tmp_path/'other')
    run_trial(task, 'linear_probe', 12, 0, settings=SETTINGS)
    assert len(cached_tables()) == 1


def test_the_limit_removes_what_was_not_used_for_longest(task, monkeypatch):
    "Reading counts as use"
    for size in (32, 40): tlvs.task_features(task, size=size)
    old, new = tables.table_files()
    for k, p in enumerate((old, new)): os.utime(p, (k + 1, p.stat().st_mtime)) # long ago, `old` first
    session.empty('tables')
    noted, note = [], os.utime # some systems note a reading by themselves, others do not
    monkeypatch.setattr(os, 'utime', lambda path, **kwargs: noted.append(path) or note(path, **kwargs))
    tlvs.task_features(task, size=32)
    monkeypatch.setenv('TLVS_CACHE_GB', str(old.stat().st_size/1e9))
    tables.trim_cache()
    assert tables.table_files() == noted == [old]
