"Networks of a dozen families become stages; each is what it was, may be trained, frozen, copied and sent, and is entered anywhere"

import pickle
from copy import deepcopy

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from tl_vs_scratch.answers.shown import new_study
from tl_vs_scratch.cli import app
from tl_vs_scratch.networks.bodies import create_backbone, create_body
from tl_vs_scratch.networks.grafts import graft
from tl_vs_scratch.networks.names import FromFile
from tl_vs_scratch.networks.staged import StagedNet
from tl_vs_scratch.networks.staging import cut_up, prove_staged
from torch import nn
from typer.testing import CliRunner

BLOCKS = [f'block{k}' for k in range(1, 13)]
FAMILIES = {
    'tf_efficientnet_lite0': ['stem', *BLOCKS[:7], 'top'],
    'resnet18': ['stem', 'layer1', 'layer2', 'layer3', 'layer4'],
    'timm/resnet18d': ['stem', 'layer1', 'layer2', 'layer3', 'layer4'],
    'vit_tiny_patch16_224': ['patch_embed', *BLOCKS, 'top'],
    'swin_tiny_patch4_window7_224': ['patch_embed', 'layer1', 'layer2', 'layer3', 'layer4', 'top'],
    'convnext_atto': ['stem', 'stage1', 'stage2', 'stage3', 'stage4', 'top'],
    'mobilenetv3_small_050': ['stem', *BLOCKS[:6], 'top'],
    'densenet121': ['stem', 'denseblock1', 'denseblock2', 'denseblock3', 'denseblock4', 'top'],
    'eva02_tiny_patch14_224': ['patch_embed', *BLOCKS, 'top'],
    'xcit_nano_12_p16_224': ['patch_embed', *BLOCKS, 'top'],
    'poolformer_s12': ['stem', 'stage1', 'stage2', 'stage3', 'stage4', 'top'],
    'edgenext_xx_small': ['stem', 'stage1', 'stage2', 'stage3', 'stage4', 'top'],
    'efficientvit_b0': ['stem', 'stage1', 'stage2', 'stage3', 'stage4', 'top'],
}
SIX = ['tf_efficientnet_lite0', 'resnet18', 'vit_tiny_patch16_224', 'swin_tiny_patch4_window7_224', 'convnext_atto', 'densenet121']


def made(name): return create_backbone(name, pretrained=False, image_size=56 if 'patch14' in name else 64)


@pytest.mark.parametrize('name', FAMILIES)
def test_a_family(name):
    "`create_backbone` proves it; the names are its own, the features are as many as it says, and no weight is in two stages"
    net = made(name)
    assert net.stage_names == FAMILIES[name] and net.training
    net.eval()
    for n in (1, 4): assert net(net.example(n)).shape == (n, net.n_features)
    assert len(list(net.parameters())) == sum(len(list(o.parameters())) for o in net.stages)


@pytest.mark.parametrize('name', SIX)
def test_gradients_are_the_originals(name):
    fixed = dict(img_size=64) if 'patch' in name else {}
    model = timm.create_model(name, num_classes=0, **fixed).eval()
    x = torch.rand(2, 3, 64, 64)
    def gradients(net):
        model.zero_grad()
        net(x).pow(2).sum().backward()
        return [p.grad.clone() for p in model.parameters()]
    want, got = gradients(model), gradients(StagedNet(cut_up(model, torch.rand(8, 3, 64, 64))))
    for g, w in zip(got, want): assert torch.allclose(g, w, rtol=1e-4, atol=1e-5*(1 + w.abs().max().item()))


@pytest.mark.parametrize('name', ['vit_tiny_patch16_224', 'resnet18'])
def test_copied_and_sent_it_says_the_same(name):
    net = made(name).eval()
    x = net.example(2)
    for other in (deepcopy(net), pickle.loads(pickle.dumps(net))): assert torch.equal(other(x), net(x))


def test_weights_load_strictly_back_into_timm():
    net = made('vit_tiny_patch16_224')
    weights = {k: v for stage in net.stages for k, v in stage.state_dict().items()}
    timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=64).load_state_dict(weights)


def test_a_batch_says_the_size():
    net = create_body('vit_tiny_patch16_224', False, torch.rand(1, 3, 48, 48))
    assert net.eval()(torch.rand(2, 3, 48, 48)).shape == (2, 192)


class Dropping(nn.Module):
    "Four layers with a functional dropout between them, a table of positions, and an argument that it may do without"
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*[nn.Linear(4, 4) for _ in range(4)])
    def forward(self, x, mask=None):
        table = torch.arange(4, device=x.device)/4
        n = x.shape[0]
        for layer in self.layers:
            x = nn.functional.dropout(layer(x), .5, self.training) + table
        return x.reshape(n, -1)


def test_dropout_follows_the_mode_and_constants_do_not_count():
    model = Dropping()
    net = StagedNet(cut_up(model, torch.rand(8, 4)))
    assert net.stage_names == ['layer1', 'layer2', 'layer3', 'layer4']
    prove_staged(net, model, torch.rand(2, 4))
    x = torch.rand(64, 4)
    assert torch.equal(net.eval()(x), net(x)) and not torch.equal(net.train()(x), net(x))


def test_shared_weights_are_not_cut_apart():
    model = Dropping()
    model.layers[3].weight = model.layers[0].weight
    with pytest.raises(ValueError, match='weights are shared'): cut_up(model, torch.rand(8, 4), 'mine')


def test_weights_of_another_network_are_refused(tmp_path):
    small = timm.create_model('resnet18', num_classes=10)
    path = tmp_path/'small.safetensors'
    save_file(small.state_dict(), path)
    net = create_backbone('timm/resnet18', weights=path)
    assert net.start == 'pretrained' and torch.equal(next(net.stages.parameters()), small.conv1.weight)
    with pytest.raises(ValueError, match="not those of 'timm/resnet34'"): create_backbone('timm/resnet34', weights=path)
    with pytest.raises(ValueError, match='pretrained=True'): create_backbone('timm/resnet18', False, weights=path)


def test_a_graft_on_tokens():
    net = graft(made('vit_tiny_patch16_224'), 'block1')
    assert net(net.example(3)).shape == (3, 256)


def test_a_study_takes_weights_from_a_file(tmp_path):
    "The pretrained strategies start from them, scratch knows nothing of them, and another network's are refused before anything is trained"
    path = tmp_path/'mine.safetensors'
    save_file(timm.create_model('resnet18', num_classes=10).state_dict(), path)
    more = dict(strategies=['scratch', 'linear_probe'], sizes=[30], out=tmp_path, progress=False)
    study = new_study('emoji', body='timm/resnet18', weights=path, **more)
    probe, scratch = study.entrants['linear_probe'], study.entrants['scratch']
    assert probe.body == FromFile('timm/resnet18', path) and scratch.body == 'timm/resnet18'
    assert 'mine.safetensors' in study.strategies['linear_probe'].words
    assert study.strategies['linear_probe'].body == study.strategies['scratch'].body
    net = create_body(probe.body, True, torch.rand(1, 3, 32, 32))
    assert torch.equal(next(net.stages.parameters()), load_file(path)['conv1.weight']) and net.start == 'pretrained'
    plain = new_study('emoji', body='timm/resnet18', **more)
    assert plain.strategies.keys() == study.strategies.keys()
    same = [label for label in plain.digests if plain.digests[label] == study.digests[label]]
    assert same == ['scratch']
    for body, error, words in (('timm/resnet34', ValueError, "not those of 'timm/resnet34'"), (['resnet18', 'resnet34'], ValueError, 'with one body')):
        with pytest.raises(error, match=words): new_study('emoji', body=body, weights=path, **more)
    with pytest.raises(FileNotFoundError, match='no file of weights'): new_study('emoji', weights=tmp_path/'none.safetensors', **more)


def test_bodies_race(tmp_path):
    study = new_study('emoji', body=['tf_efficientnet_lite0', 'tf_efficientnet_lite1'], strategies=['plain_svm', 'linear_probe', 'nearest_neighbour'],
                      sizes=[30], out=tmp_path, progress=False)
    assert list(study.strategies) == ['plain_svm', 'linear_probe', 'linear_probe:tf_efficientnet_lite1', 'nearest_neighbour',
                                      'nearest_neighbour:tf_efficientnet_lite1']
    assert len(set(study.digests.values())) == 5


@pytest.mark.parametrize('words, says', [(['--body', 'resnet18,resnet18'], 'named twice'), (['--weights', 'none.safetensors'], 'no file of weights'),
                                         (['--body', 'a,b', '--weights', 'FILE'], 'with one body'), (['--weights', 'FILE'], "not those of 'tf_eff")])
def test_the_command_says_it_in_one_sentence(tmp_path, words, says):
    path = tmp_path/'mine.safetensors'
    save_file(timm.create_model('resnet18', num_classes=10).state_dict(), path)
    words = [str(path) if o == 'FILE' else o for o in words]
    result = CliRunner().invoke(app, ['compare', 'emoji', *words, '--out', str(tmp_path)])
    assert result.exit_code in (1, 2) and says in result.stderr and 'Traceback' not in result.output
