"A ViT, a Swin and a ConvNeXt train like the others: cached, frozen for good, thawed stage by stage, with rates of their own, and back into timm"

import pytest
import timm
import tl_vs_scratch as tlvs
import torch
from commands import paint_folder
from fastai.vision.all import SGD, Callback, set_seed
from tl_vs_scratch.networks.entries import PictureEntry, example_batch
from tl_vs_scratch.networks.staged import StagedNet
from tl_vs_scratch.networks.staging import cut_up, prove_staged
from tl_vs_scratch.training.caching import cached_prefix
from tl_vs_scratch.training.learners import staged_learner
from tl_vs_scratch.training.recipes import STRATEGIES
from tl_vs_scratch.training.unfreezing import GradualUnfreezing
from torch import nn

SMALL = dict( # stochastic depth included: it must rest where a stage is frozen
    vit=('vit_tiny_patch16_224', dict(img_size=32, patch_size=8, depth=4, embed_dim=48, num_heads=3, drop_path_rate=.3)),
    swin=('swin_tiny_patch4_window7_224', dict(img_size=32, window_size=4, embed_dim=24, depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), drop_path_rate=.3)),
    convnext=('convnext_atto', dict(dims=(8, 16, 24, 32), depths=(1, 1, 2, 1), drop_path_rate=.3)))
STAGES = dict(vit=['patch_embed', 'block1', 'block2', 'block3', 'block4', 'top'],
              swin=['patch_embed', 'layer1', 'layer2', 'layer3', 'layer4', 'top'],
              convnext=['stem', 'stage1', 'stage2', 'stage3', 'stage4', 'top'])


def original(family, **more):
    name, how = SMALL[family]
    return timm.create_model(name, num_classes=0, **(how | more))


def staged(model):
    examples = example_batch(8, size=32)
    net = StagedNet(cut_up(model, examples), entry=PictureEntry([.5]*3, [.5]*3), n_features=model.num_features)
    prove_staged(net, model, examples)
    return net.train()


class Peaks(Callback):
    "Notes the rates of each step"
    def __init__(self, rates): self.rates = rates
    def after_batch(self):
        if self.training: self.rates.append([h['lr'] for h in self.opt.hypers])


@pytest.fixture(scope='module')
def task(tmp_path_factory): return tlvs.from_folder(paint_folder(tmp_path_factory.mktemp('painted')), size=32)


@pytest.fixture(params=SMALL)
def family(request): return request.param


def learner(task, family, seed=0, **more):
    set_seed(seed)
    head = lambda i, o: nn.Sequential(nn.Dropout(.5), nn.Linear(i, o)) # noqa: E731
    return staged_learner(task.dls(12, augment=False, bs=4), staged(original(family, **more)), head, opt_func=SGD)


def quiet(learn, f):
    with learn.no_bar(), learn.no_logging(): return f()


@pytest.mark.parametrize('frozen', [3, 6])
def test_cached_training_is_what_it_is_without_a_cache(task, family, frozen):
    def trained(cached):
        learn = learner(task, family)
        tlvs.freeze_to(learn, frozen)
        before = {k: v.double().clone() for k, v in learn.model.state_dict().items()}
        def fit():
            if not cached: return learn.fit_one_cycle(2, 1e-2)
            with cached_prefix(learn, precision='float32') as prefix:
                assert prefix.cut == frozen
                learn.fit_one_cycle(2, 1e-2)
        quiet(learn, fit)
        return {k: v.double() - before[k] for k, v in learn.model.state_dict().items()}
    plain, cached = trained(False), trained(True)
    moved = [k for k, v in plain.items() if v.norm() > 0]
    assert len(moved) >= 2 and not any(k.startswith(tuple(f'stages.{o}.' for o in STAGES[family][:frozen])) for k in moved)
    for k in plain: assert (plain[k] - cached[k]).norm() <= 1e-4*plain[k].norm() + 1e-6, k


def test_what_is_frozen_says_the_same_in_training(task, family):
    "No stochastic depth in it, no weight that moves, and the audit finds one that does"
    learn = learner(task, family)
    tlvs.freeze_to(learn, 4)
    x = torch.rand(4, 3, 32, 32)
    def fit():
        with tlvs.audit_frozen(learn): learn.fit(1, 1e-2, wd=.1)
    quiet(learn, fit)
    learn.model.train(); learn.strict_freeze.apply()
    assert torch.equal(learn.model.activations(x, 4), learn.model.activations(x, 4))
    assert not torch.equal(learn.model(x), learn.model(x)) # the trained ones have their stochastic depth
    with tlvs.audit_frozen(learn, raise_error=False) as moved, torch.no_grad():
        weight = next(learn.model.stages[1].parameters())
        weight += 1e-3
    assert len(moved) == 1 and moved[0].startswith(f'stages.{STAGES[family][1]}.')


def test_the_table_of_stages(task, family):
    learn = learner(task, family)
    tlvs.freeze_to(learn, -2)
    table = tlvs.stage_table(learn)
    assert list(table.index) == [*STAGES[family], 'head']
    assert table.parameters.sum() == sum(p.numel() for p in learn.model.parameters())
    assert not table.trainable[:-2].any() and (table.trainable == table.parameters)[-2:].all()
    assert table.output_shape['top'] == (4, learn.model.n_features) and table.output_shape['head'] == (4, len(task.classes))
    assert all(shape[0] == 4 for shape in table.output_shape)


def test_gradual_unfreezing_goes_through_all_stages(task, family):
    learn = learner(task, family)
    schedule = GradualUnfreezing()
    learn.add_cb(schedule)
    before = [p.detach().clone() for p in learn.model.stages[0].parameters()]
    quiet(learn, lambda: learn.fit(8, 1e-2))
    assert [stage for _, stage in schedule.history] == ['head', *reversed(STAGES[family])]
    assert not all(torch.equal(p, b) for p, b in zip(learn.model.stages[0].parameters(), before))


def test_each_stage_has_its_own_rate(task, family):
    learn = learner(task, family)
    rates = tlvs.discriminative_lrs(1e-2, learn)
    learn.create_opt()
    learn.opt.set_hyper('lr', rates)
    assert tlvs.stage_table(learn).lr.tolist() == rates and len(set(rates)) == len(STAGES[family]) + 1


def test_trained_weights_go_back_into_timm(task, family):
    learn = learner(task, family, drop_path_rate=0.)
    quiet(learn, lambda: learn.fit(1, 1e-2))
    weights = {k: v for stage in learn.model.stages for k, v in stage.state_dict().items()}
    model = original(family, drop_path_rate=0.)
    model.load_state_dict(weights, strict=True)
    x = torch.rand(4, 3, 32, 32)
    learn.model.head = nn.Identity()
    with torch.no_grad():
        want = learn.model.eval()(x)
        assert torch.allclose(model.eval()(learn.model.entry(x)), want, rtol=1e-4, atol=1e-5)


def test_a_body_of_thirty_stages_has_sensible_rates(task):
    "No stage's rate is next to nothing: the rates of a recipe span the same whatever the number of stages"
    for strategy in STRATEGIES.values():
        for phase in strategy.phases:
            rates = tlvs.discriminative_lrs(phase.lr, 30, phase.decay)
            assert len(rates) == 31 and min(rates) >= max(rates)/20, strategy.name
    learn = learner(task, 'vit', depth=28, embed_dim=12)
    assert len(learn.model.stages) == 30
    before = [[p.detach().clone() for p in stage.parameters()] for stage in learn.model.stages]
    peaks = []
    learn.add_cb(Peaks(peaks))
    quiet(learn, lambda: learn.fit_one_cycle(1, tlvs.discriminative_lrs(1e-1, learn)))
    assert len(peaks[-1]) == 31 and min(max(step[k] for step in peaks) for k in range(31)) > 1e-3
    for stage, was in zip(learn.model.stages, before):
        assert not all(torch.equal(p, w) for p, w in zip(stage.parameters(), was))
