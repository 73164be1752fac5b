"What a training costs: every batch counts as what it is, and counting changes nothing"

import pytest
import torch
import fastai.callback.progress # noqa: F401 - gives learners `no_bar`
from fastai.callback.core import Callback
from fastai.data.load import DataLoader
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from tl_vs_scratch.fast.depthwise import DepthwiseConv2d
from tl_vs_scratch.fast.switch import faster, is_fast, plain
from tl_vs_scratch.networks.staged import Activations, StagedNet
from tl_vs_scratch.training.costs import CostMeter, FlopCounter
from torch import nn


def fit(dls, net, epochs=1):
    learn, meter = Learner(dls, net, loss_func=nn.CrossEntropyLoss()), CostMeter()
    with learn.no_bar(), learn.no_logging(): learn.fit(epochs, cbs=meter)
    return meter


def loaders(n, bs):
    items = [(torch.randn(100), torch.tensor(i % 10)) for i in range(n)]
    return DataLoaders(DataLoader(items, bs=bs), DataLoader(items, bs=bs))


@pytest.mark.parametrize('n, bs', [(96, 32), (80, 32), (33, 32), (7, 32)])
def test_batches_of_other_shapes_count_as_what_they_are(n, bs):
    "Forward and the gradient of the weights, two operations for each, whatever the size of the first batch"
    meter = fit(loaders(n, bs), nn.Linear(100, 10), epochs=2)
    assert meter.flops == 2*n*(2*2*100*10)
    assert meter.steps == 2*-(-n//bs)


def test_batches_that_enter_at_another_stage_count_as_what_they_are():
    "Also where states have the shape of inputs"
    net = StagedNet(dict(a=nn.Linear(10, 10), b=nn.Linear(10, 10)), head=nn.Linear(10, 10))
    for p in net.stages.parameters(): p.requires_grad_(False)
    class Moves(Callback):
        order = 65
        def before_batch(self):
            if self.iter % 2: self.learn.xb = (Activations(self.xb[0], cut=self.iter//2 + 1),)
    items = [(torch.randn(10), torch.tensor(i % 10)) for i in range(16)]
    learn, meter = Learner(DataLoaders(DataLoader(items, bs=4), DataLoader(items, bs=4)), net, loss_func=nn.CrossEntropyLoss()), CostMeter()
    with learn.no_bar(), learn.no_logging(): learn.fit(1, cbs=[meter, Moves()])
    layer = 2*4*10*10
    assert meter.flops == 4*2*layer + layer*(2 + 1 + 2 + 0) # the head and its gradient; stages before it, per batch


@pytest.mark.parametrize('way', [faster, plain])
def test_counting_leaves_the_switch_as_it_was(way):
    conv, x = DepthwiseConv2d(8, 8, 3, padding=1, groups=8, bias=False), torch.randn(2, 8, 6, 6)
    with way():
        before = is_fast()
        with FlopCounter() as counter:
            assert not is_fast()
            conv(x).sum().backward()
        assert is_fast() == before
        with pytest.raises(ValueError), FlopCounter(): raise ValueError
        assert is_fast() == before
    assert not is_fast()
    assert counter.get_total_flops() == 2 * 2*2*8*6*6*9
