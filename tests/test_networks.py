"A body of one's own is copied or built anew and known by what it does; the fast ways agree with the plain ones, and their switch goes back"

import subprocess
import sys
import threading

import cloudpickle
import pytest
import torch
from fastai.optimizer import Adam
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from tl_vs_scratch.fast.adam import fused_adam, optimiser
from tl_vs_scratch.fast.convolutions import packed, simplified
from tl_vs_scratch.fast.depthwise import DepthwiseConv2d, speed_up
from tl_vs_scratch.fast.switch import faster, is_fast, plain
from tl_vs_scratch.networks.bodies import create_backbone, create_body
from tl_vs_scratch.networks.digests import content_digest
from tl_vs_scratch.networks.grafts import graft
from tl_vs_scratch.networks.names import body_digest, body_name, check_backbone


def small():
    top = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return dict(stem=nn.Conv2d(3, 4, 3), top=top)


def train(net, steps=2, opt_func=fused_adam):
    "Train a body with a head on noise that is always the same"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net.head = nn.Linear(net.n_features, 2)
        x, y = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 0, 1])
    opt = opt_func(list(net.parameters()), lr=1e-2)
    net.train()
    for _ in range(steps):
        cross_entropy(net(x), y).backward()
        opt.step()
        opt.zero_grad()
    return net


def state(modules): return {k: v.clone() for k, v in nn.ModuleDict(modules).state_dict().items()}


def same(a, b): return all(torch.equal(v, b[k]) for k, v in a.items())


# ---- bodies of one's own ----

def test_the_callers_modules_never_change():
    mine = small()
    for m in mine.values(): m.eval()
    before, classes = state(mine), [type(m) for m in nn.ModuleDict(mine).modules()]
    net = train(speed_up(create_backbone(mine)))
    assert not same(state(dict(net.stages.named_children())), before)
    assert same(state(mine), before)
    assert [type(m) for m in nn.ModuleDict(mine).modules()] == classes
    assert not any(m.training for m in mine.values())
    assert all(p.grad is None and p.is_contiguous() for m in mine.values() for p in m.parameters())


def test_a_second_training_starts_where_the_first_one_did():
    mine = small()
    first, second = (train(create_backbone(mine)) for _ in range(2))
    assert same(first.state_dict(), second.state_dict())


def test_modules_that_a_function_holds_are_copied_too():
    mine = small()
    before = state(mine)
    train(create_backbone(lambda: mine))
    assert same(state(mine), before)


def test_a_function_builds_anew_with_the_random_numbers_of_the_moment():
    def made(seed):
        torch.manual_seed(seed)
        return create_backbone(small).stages.stem.weight
    assert torch.equal(made(1), made(1)) and not torch.equal(made(1), made(2))


def test_shared_weights_stay_shared_in_the_copy():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    net = create_backbone([conv, conv, nn.AdaptiveAvgPool2d(1), nn.Flatten()])
    assert net.stages.stage1 is net.stages.stage2 and net.stages.stage1 is not conv


@pytest.mark.parametrize('body', [lambda: 3, lambda: [], lambda: dict(a=3), {}, [], [3], 3, None, nn.Conv2d(3, 4, 3), [lambda x: x]])
def test_what_is_no_body_is_refused_in_one_sentence(body):
    with pytest.raises(ValueError, match='a body') as e: create_backbone(body)
    assert '\n' not in str(e.value)


def test_the_nearest_name_is_offered():
    with pytest.raises(ValueError, match="Did you mean 'resnet18'?"): check_backbone('resnet1')


# ---- digests of bodies ----

class Scaled(nn.Module):
    "Prints the same whatever it does"
    def __init__(self, by=1., f=torch.relu):
        super().__init__()
        self.by, self.f = by, f
    def forward(self, x): return self.f(self.by*x)


class Tamed(Scaled):
    def forward(self, x): return super().forward(x).clamp(max=1)


def with_top(module):
    torch.manual_seed(0)
    return dict(small(), last=module)


def test_bodies_that_print_alike_and_differ_have_other_digests():
    def renamed(cls):
        cls.__name__ = cls.__qualname__ = 'Scaled'
        return cls
    class Other(nn.Module):
        def __init__(self): super().__init__(); self.by, self.f = 1., torch.relu
        def forward(self, x): return self.f(self.by*x) + 1
    tops = [Scaled(), Scaled(2.), Scaled(f=torch.sigmoid), Scaled(f=lambda x: x), Scaled(f=lambda x: x + 1),
            Scaled(f=lambda x: x + 2), renamed(Other)(), renamed(Tamed)()]
    bodies = [with_top(top) for top in tops]
    assert len({str(body) for body in bodies}) == 1
    assert len({body_digest(body) for body in bodies}) == len(bodies)
    factories = [lambda top=top: with_top(top) for top in tops]
    assert len({body_digest(f) for f in factories}) == len(factories)


def test_weights_and_attributes_that_a_training_changes_are_in_the_digest():
    mine = small()
    digests = [body_digest(mine)]
    for change in (lambda: mine['stem'].weight.data.mul_(1.001), lambda: mine['top'][1].running_mean.add_(1),
                   lambda: mine['stem'].requires_grad_(False), lambda: setattr(mine['top'][1], 'momentum', .2),
                   lambda: mine['stem'].register_forward_hook(lambda m, x, out: 2*out)):
        change()
        digests.append(body_digest(mine))
    assert len(set(digests)) == len(digests)


def test_a_list_has_the_digest_of_the_dict_it_stands_for():
    stages = list(small().values())
    assert body_digest(stages) == body_digest(tuple(stages)) == body_digest(dict(stage1=stages[0], stage2=stages[1]))
    assert body_digest(stages) == body_digest(nn.Sequential(*stages)) != body_digest(stages[::-1])


def test_a_factorys_digest_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    assert body_digest(small) == body_digest(small)
    assert torch.equal(torch.rand(3), want)


SCRIPT = '''
import torch
from torch import nn
SCALE = 3.
def scaled(x): return SCALE*x
class Own(nn.Module):
    def __init__(self, f): super().__init__(); self.f, self.names = f, {'a', 'b', 'c'}
    def forward(self, x): return super(Own, self) and self.f(x) if 'a' in {'x', 'a', 'y', 'z'} else x
def factory(): return dict(stem=nn.Conv2d(3, 4, 3), own=Own(scaled), other=Own(lambda x: x**2), same=Own(torch.relu))
torch.manual_seed(0)
body = factory()
'''
TOLD = '''
from tl_vs_scratch.networks.names import body_digest
print(body_digest(body), body_digest(factory))
'''


def run(script, *args, hash_seed='1'):
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', script, *args], capture_output=True, text=True, check=True,
                          env=dict(PYTHONHASHSEED=hash_seed, OMP_NUM_THREADS='1'))
    return done.stdout.split()


def test_digests_are_the_same_in_another_process_and_in_a_worker(tmp_path):
    "A worker gets classes and functions of a notebook by value"
    sent = tmp_path/'body.pkl'
    send = f"import cloudpickle\nopen({str(sent)!r}, 'wb').write(cloudpickle.dumps((body, factory)))\n"
    here = run(SCRIPT + send + TOLD)
    assert here == run('# another line\n\n' + SCRIPT + TOLD, hash_seed='2') and here[0] != here[1]
    receive = f"import pickle\nbody, factory = pickle.load(open({str(sent)!r}, 'rb'))\n"
    assert here == run(receive + TOLD, hash_seed='3')
    for old, new in (('SCALE = 3.', 'SCALE = 4.'), ('x**2', 'x**3'), ('torch.relu', 'torch.tanh'), ("'c'}", "'d'}")):
        other = run(SCRIPT.replace(old, new) + TOLD)
        assert not set(other) & set(here), (old, new)


def test_digests_survive_being_sent():
    "Also after the body has been pickled, copied or trained beside it"
    mine = with_top(Scaled(2., f=lambda x: x - 1))
    before = body_digest(mine)
    sent = cloudpickle.loads(cloudpickle.dumps(mine))
    train(create_backbone(mine))
    assert body_digest(mine) == before == body_digest(sent)


def test_what_can_not_be_read_is_told_by_its_kind():
    assert content_digest(threading.Lock()) == content_digest(threading.Lock()) != content_digest(threading.Event)
    assert content_digest(nn.LazyLinear(3)) == content_digest(nn.LazyLinear(3)) != content_digest(nn.LazyLinear(4))
    assert content_digest(torch.zeros(2, dtype=torch.bfloat16)) != content_digest(torch.zeros(2, dtype=torch.half))


def test_a_name_is_its_own_digest():
    assert body_digest('convnet') == body_name('convnet') == 'convnet'
    assert body_name(small) == 'own-' + body_digest(small)[:6]


def test_names_need_no_torch():
    script = "import sys, tl_vs_scratch.networks.names as n\nn.check_backbone('convnet'), n.body_name('resnet18')\nprint('torch' in sys.modules)"
    assert run(script) == ['False']


# ---- starts, cuts and channels ----

def test_a_body_for_a_batch_draws_the_random_numbers_of_one_for_channels():
    weights = []
    for make in (lambda: create_body('convnet', False, torch.zeros(2, 1, 28, 28)), lambda: create_backbone('convnet', False, 1)):
        torch.manual_seed(0)
        weights.append(make().state_dict())
    assert same(*weights)


def test_a_grafted_body_is_called_so_and_shares_its_trunk():
    net = create_backbone(small())
    grafted = graft(net, 'stem')
    assert (grafted.start, grafted.name) == ('grafted', 'custom[:1]+graft')
    assert grafted.stages.stem is net.stages.stem and grafted.example is net.example


# ---- the switch, and the plain way beside the fast one ----

def test_the_switch_is_off_and_goes_back():
    assert not is_fast() and optimiser() is Adam
    for outer in (faster, plain):
        with outer():
            was = is_fast()
            with pytest.raises(ZeroDivisionError), faster(), plain(), faster(): 1/0
            assert is_fast() == was == (outer is faster)
    assert not is_fast()


def test_threads_that_overlap_each_keep_what_they_asked_for():
    entered, leave = threading.Event(), threading.Event()
    def other():
        with faster():
            entered.set()
            leave.wait(10)
    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    with faster(): pass
    assert is_fast() # the other one still asks for it
    leave.set()
    thread.join()
    assert not is_fast()


def gradients(net, x):
    net.zero_grad()
    net(x).pow(2).sum().backward()
    return [p.grad.clone() for p in net.parameters()]


def test_a_whole_network_has_the_same_gradients_either_way():
    torch.manual_seed(0)
    net = speed_up(create_backbone(pretrained=False)).eval()
    assert sum(isinstance(m, DepthwiseConv2d) for m in net.modules()) == 16
    x = torch.rand(4, 3, 64, 64)
    want = gradients(net, x)
    with faster(): got = gradients(net, x)
    assert not all(torch.equal(g, w) for g, w in zip(got, want))
    for g, w in zip(got, want): assert torch.allclose(g, w, rtol=1e-2, atol=1e-3*w.abs().max().item())


def test_without_the_switch_a_network_that_was_sped_up_is_pytorchs_to_the_bit():
    nets = []
    for prepare in (lambda net: net, speed_up):
        torch.manual_seed(0)
        nets.append(train(prepare(create_backbone(small)), opt_func=Adam))
    assert same(nets[0].state_dict(), nets[1].state_dict())


def test_operations_can_be_counted_within_a_fast_training():
    net, x = speed_up(create_backbone(small)), torch.rand(2, 3, 32, 32)
    counts = []
    for ways in ([], [faster, plain]):
        with FlopCounterMode(display=False) as counter:
            held = [way() for way in ways]
            for way in held: way.__enter__()
            net(x).sum().backward()
            for way in held[::-1]: way.__exit__(None, None, None)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0 and not is_fast()


@torch.no_grad()
def test_frozen_stages_say_the_same_either_way():
    net = create_backbone().eval()
    x = net.entry(torch.rand(4, 3, 64, 64))
    before = net.stages(x)
    fast = packed(simplified(net.stages, x), x)
    assert fast is not net.stages
    assert torch.allclose(fast(x), before, rtol=1e-3, atol=1e-3)
    assert torch.equal(net.stages(x), before) # the original is as it was
