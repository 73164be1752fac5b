"""Do findings of the field hold here, small? Each is a claim that can fail, and the verdict is computed from an interval

    python -m benchmarks.findings [NAMES] [--seeds 3] [--size 32] [--json FILE]

NAMES are some of `FINDINGS`, with commas (default: all). Digits with 50 and 800 labels, emoji with 100 (Twemoji; OpenMoji is the shifted test), the
same network everywhere (EfficientNet-lite0), 32 pixels, on one core half an hour at most. FILE is written after each finding; what is in it already, with as many
seeds and as many pixels, is kept and not trained again. Learning rates are the same for both sides of a claim, or chosen by the loss on validation pictures.
"""
import argparse
import json
import time
from copy import deepcopy
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fastai.torch_core import set_seed
from torch import nn

from benchmarks.machine import finish, interval
from tl_vs_scratch.answers.intervals import paired_difference
from tl_vs_scratch.networks.bodies import create_backbone
from tl_vs_scratch.networks.staged import Activations
from tl_vs_scratch.networks.starts import only_statistics
from tl_vs_scratch.tasks.builtin import digits, emoji
from tl_vs_scratch.tasks.decoding import fit_square, open_picture
from tl_vs_scratch.training.anytime import PathAverage

BS, WARM_UP, RATE, RATES = 32, 5, 3e-3, (3e-4, 1e-3)
FEW, MANY, EARLY = 50, 800, 10 # labels of the digits; steps
LENGTHS = {FEW: 120, MANY: 300} # steps of a training from any start
CUTS = 3, 6, 9 # stages kept, of nine
EMOJI_LABELS, EMOJI_STEPS = 100, 60
SURGERY_LABELS, SURGERY_STEPS, NOISE = 50, 60, .6 # the noise's standard deviation, where black is 0 and white 1
SURGERY_RATES = 1e-3, 1e-2 # a last layer alone needs larger ones to be done in as many steps
MARGIN = 2. # points: "no worse" is no more than that behind


# --- pictures, networks, trainings ---

class Pictures:
    "The pictures of a task at one size, in memory"
    def __init__(self, task, size):
        drawn = np.stack([np.asarray(fit_square(open_picture(o), size)) for o in task.sources])
        self.task, self.x = task, torch.tensor(drawn).permute(0, 3, 1, 2).float()/255
        self.labels, self.test = torch.tensor(task.labels), torch.tensor(task.test_idxs)

    def labelled(self, n, seed): return (torch.tensor(idxs) for idxs in self.task.subset(n, seed)) # training, validation

@cache
def pictures(name, size):
    makers = dict(digits=digits, twemoji=emoji, openmoji=partial(emoji, 'openmoji'))
    return Pictures(makers[name](), size)

def network(start, n_classes, seed, size):
    "The body with a new head; `start`: 'pretrained', 'random', or 'statistics' (see `only_statistics`)"
    set_seed(seed)
    net = create_backbone(pretrained=start != 'random', image_size=size)
    if start == 'statistics': net = only_statistics(net)
    net.head = nn.Linear(net.n_features, n_classes)
    return net

def batches(n):
    "Positions of full batches, without end: each example once before any comes twice"
    while True:
        for some in torch.randperm(n).split(min(BS, n)):
            if len(some) == min(BS, n): yield some

def thaw(net, parts):
    "Train these parts only; the others do not move at all"
    net.requires_grad_(False).eval()
    for part in parts: part.requires_grad_(True).train()

def fit(net, x, y, steps, lr=RATE, parts=None, look=None, looks=(), cut=0):
    "Train at a constant rate; the network ends with the running average of its weights. `look(net)` is called at some steps and its answers are returned"
    parts, found = parts or [net], []
    x = net.eval().activations(x, cut).detach() if cut else x # frozen stages run once
    thaw(net, parts)
    opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=lr, fused=True)
    average, source = PathAverage(net), batches(len(y))
    for step in range(1, steps + 1):
        some = next(source)
        for group in opt.param_groups: group['lr'] = lr*min(1., step/WARM_UP)
        opt.zero_grad()
        F.cross_entropy(net(Activations(x[some], cut=cut) if cut else x[some]), y[some]).backward()
        opt.step()
        average.update()
        if step in looks:
            with average.applied(): found.append(look(net))
            thaw(net, parts)
    average.swap()
    net.eval()
    return np.array(found)

@torch.no_grad()
def answers(net, x): return torch.cat([net.eval()(some) for some in x.split(300)])

def right(net, x, y): return (answers(net, x).argmax(1) == y).numpy().astype(float)

def at_best_rate(make, x, y, train, valid, steps, rates=RATES, **options):
    "The network of the rate with the least validation loss"
    tried = []
    for lr in rates:
        net, parts = make()
        fit(net, x[train], y[train], steps, lr, parts, **options)
        tried.append((F.cross_entropy(answers(net, x[valid]), y[valid]).item(), len(tried), net))
    return min(tried)[2]


# --- what is measured, and what it says ---

def judged(low, high, least, below=False):
    "Does an interval lie above `least`, or below it, as was claimed?"
    if below: low, high, least = -high, -low, -least
    if low > least: return 'agrees'
    return 'does not agree' if high < least else 'cannot tell'

def row(name, claim, theirs, measured, least, below=False, unit='points', **more):
    "A line of the table; the claim is that what was measured lies above `least` (or below it)"
    mean, ends = measured
    verdict = judged(*ends, least, below) if ends else 'cannot tell'
    return dict(name=name, claim=claim, theirs=theirs, mean=mean, ci95=ends, unit=unit, least=least, below=below, verdict=verdict, **more)

def points(a, b):
    "By how many points a is ahead of b, (seeds, examples) each; with fewer than three seeds without an interval"
    mean, ends = paired_difference(np.stack(a), np.stack(b))
    return 100*float(mean), ends and [100*float(end) for end in ends]

def looks_of(n): return sorted({round(4*1.25**k) for k in range(40) if 4*1.25**k < LENGTHS[n]} | {EARLY, LENGTHS[n]})

@cache
def course(start, n, seed, size):
    "Digits from one start: which test pictures are right at each look, (looks, test), and the trained network"
    data = pictures('digits', size)
    idxs = torch.cat(list(data.labelled(n, seed)))
    net = network(start, 10, seed, size)
    look = lambda net: right(net, data.x[data.test], data.labels[data.test])
    set_seed(seed) # the same order of pictures for every start
    return fit(net, data.x[idxs], data.labels[idxs], LENGTHS[n], look=look, looks=looks_of(n)), net

def paths(start, n, seeds, size): return [course(start, n, seed, size)[0] for seed in range(seeds)]

def steps_to(path, looks, share=.9):
    "Kornblith's measure: steps until the odds of being right are that share of the best odds on the way"
    p = path.mean(1).clip(.5/path.shape[1], 1 - .5/path.shape[1])
    odds = p/(1 - p)
    return looks[int(np.argmax(odds >= share*odds.max()))]

def times_sooner(fast, slow, looks):
    "How many times fewer steps, mean of logarithms over the seeds; the ends are widened by what the looks leave out"
    ratios = [steps_to(b, looks)/steps_to(a, looks) for a, b in zip(fast, slow)]
    mean, ends = interval(np.log(ratios))
    half_look = np.log(1.25)/2
    return float(np.exp(mean)), ends and [float(np.exp(ends[0] - half_look)), float(np.exp(ends[1] + half_look))]


# --- the findings ---

def kornblith(seeds, size):
    ratio = times_sooner(paths('pretrained', MANY, seeds, size), paths('random', MANY, seeds, size), looks_of(MANY))
    return [row('sooner', 'From pretrained weights, nine tenths of the best odds are reached in fewer steps', '17 times sooner', ratio, 1, unit='times'),
            row('as much sooner', 'They are reached at least 17 times sooner', '17 times sooner', ratio, 17, unit='times')]

def he(seeds, size):
    def gap(n, at):
        k = looks_of(n).index(at)
        return points(*([path[k] for path in paths(start, n, seeds, size)] for start in ('pretrained', 'random')))
    curves = {f'{n} {start}': dict(steps=looks_of(n), accuracy=np.mean(paths(start, n, seeds, size), (0, 2)).tolist())
              for n in (FEW, MANY) for start in ('pretrained', 'random')}
    return [row('early', f'Early on (after {EARLY} steps) pretrained weights are ahead', 'ahead early', gap(MANY, EARLY), 0, curves=curves),
            row('catching up', f'With many labels ({MANY}) random weights catch up: in the end pretrained ones are ahead by less than {MARGIN:g} points',
                'no worse in the end, with a tenth of COCO too', gap(MANY, LENGTHS[MANY]), MARGIN, below=True),
            row('breakdown', f'With few labels ({FEW}) random weights stay behind', 'breaks down with 1,000 pictures', gap(FEW, LENGTHS[FEW]), 0)]

def raghu(seeds, size):
    kept, fresh, whole = (paths(start, MANY, seeds, size) for start in ('statistics', 'random', 'pretrained'))
    k = looks_of(MANY).index(EARLY)
    curve = dict(steps=looks_of(MANY), accuracy=np.mean(kept, (0, 2)).tolist())
    return [row('statistics', 'A start that keeps only mean and variance of each weight tensor gets there sooner than usual random weights',
                'much sooner', times_sooner(kept, fresh, looks_of(MANY)), 1, unit='times', curves={f'{MANY} statistics': curve}),
            row('not only scale', f'The weights themselves bring more than that: after {EARLY} steps the pretrained start is ahead of it',
                'pretrained sooner still', points([o[k] for o in whole], [o[k] for o in kept]), 0)]

def kept_frozen(cut, seed, size):
    "Digits with the first `cut` stages of the pretrained body frozen and the rest drawn anew and trained: which test pictures are right"
    data = pictures('digits', size)
    idxs = torch.cat(list(data.labelled(MANY, seed)))
    net, old = network('random', 10, seed, size), create_backbone(image_size=size)
    for k in range(cut): net.stages[k].load_state_dict(old.stages[k].state_dict())
    set_seed(seed)
    fit(net, data.x[idxs], data.labels[idxs], LENGTHS[MANY], parts=[*net.stages[cut:], net.head], cut=cut)
    return right(net, data.x[data.test], data.labels[data.test])

def yosinski(seeds, size):
    frozen = {cut: [kept_frozen(cut, seed, size) for seed in range(seeds)] for cut in CUTS}
    tuned, fresh = ([path[-1] for path in paths(start, MANY, seeds, size)] for start in ('pretrained', 'random'))
    first, middle, last = CUTS
    depths = {0: fresh, **frozen}
    curve = dict(kept=list(depths), accuracy=[float(np.mean(o)) for o in depths.values()])
    return [row('deeper is worse', f'Frozen, the features of all nine stages are worth less than those of the first {first}', 'fewer right, the deeper the cut',
                points(frozen[first], frozen[last]), 0, depths=curve),
            row('thawed', 'Trained further, all nine kept stages are better than frozen', 'the loss is made good', points(tuned, frozen[last]), 0),
            row('lasting', f'Kept and trained further they end ahead of random weights ({MANY} labels)', '1.6 to 2.1 points ahead', points(tuned, fresh), 0)]

def probe_head(net, x, y, train, valid):
    "The head becomes a logistic regression on the features as they are"
    from sklearn.linear_model import LogisticRegression
    with torch.no_grad(): features = net.eval().activations(x, len(net.stages)).as_subclass(torch.Tensor)
    mean, spread = features[train].mean(0), features[train].std(0) + 1e-3
    tried = []
    for held in (1e-3, 1e-2, .1):
        model = LogisticRegression(C=held, max_iter=500).fit(((features[train] - mean)/spread).numpy(), y[train].numpy())
        weight = torch.tensor(model.coef_, dtype=torch.float32)/spread
        bias = torch.tensor(model.intercept_, dtype=torch.float32) - weight @ mean
        tried.append((F.cross_entropy(F.linear(features[valid], weight, bias), y[valid]).item(), held, weight, bias))
    with torch.no_grad():
        for own, new in zip((net.head.weight, net.head.bias), min(tried, key=lambda o: o[0])[2:]): own.copy_(new)
    return net

@cache
def tuned_on_emoji(seed, size):
    "name -> network: a probe, fine-tuning with a new head, and fine-tuning after the probe; with 100 Twemoji"
    data = pictures('twemoji', size)
    train, valid = data.labelled(EMOJI_LABELS, seed)
    probe = probe_head(network('pretrained', data.task.n_classes, seed, size), data.x, data.labels, train, valid)
    def made(start):
        set_seed(seed)
        return deepcopy(start), None
    tune = lambda start: at_best_rate(lambda: made(start), data.x, data.labels, train, valid, EMOJI_STEPS)
    return dict(probe=probe, tuned=tune(network('pretrained', data.task.n_classes, seed, size)), probe_first=tune(probe))

def averaged(a, b):
    "The network halfway between two, in its weights and buffers"
    net, other = deepcopy(a), b.state_dict()
    net.load_state_dict({name: torch.lerp(o, other[name], .5) if o.is_floating_point() else o for name, o in a.state_dict().items()})
    return net

@cache
def at_home_and_away(seed, size):
    "(network, 'home' or 'away') -> which test pictures are right"
    nets = tuned_on_emoji(seed, size)
    nets = dict(nets, between=averaged(nets['probe'], nets['probe_first']))
    found = {}
    for place, name in (('home', 'twemoji'), ('away', 'openmoji')):
        data = pictures(name, size)
        found |= {(net, place): right(nets[net], data.x[data.test], data.labels[data.test]) for net in nets}
    return found

def ahead(a, b, place, seeds, size): return points(*([at_home_and_away(seed, size)[net, place] for seed in range(seeds)] for net in (a, b)))

def kumar(seeds, size):
    means = {f'{net} {place}': float(np.mean([at_home_and_away(seed, size)[net, place] for seed in range(seeds)]))
             for net, place in at_home_and_away(0, size)}
    return [row('better at home', 'Fine-tuning is better than a probe on test pictures like the labelled ones', '+2 points',
                ahead('tuned', 'probe', 'home', seeds, size), 0, scores=means),
            row('worse away', 'It is worse than a probe on shifted ones', '-7 points', ahead('tuned', 'probe', 'away', seeds, size), 0, below=True),
            row('probe first, home', 'Probe first, then fine-tuning, is better than fine-tuning at home', '+1 point', ahead('probe_first', 'tuned', 'home', seeds, size), 0),
            row('probe first, away', 'It is better away, too', '+10 points', ahead('probe_first', 'tuned', 'away', seeds, size), 0)]

def wortsman(seeds, size):
    return [row('between, away', 'Weights halfway between probe and tuned are better away than the tuned ones', '+4 to +6 points over earlier ways',
                ahead('between', 'probe_first', 'away', seeds, size), 0),
            row('between, home', f'At home they are less than {MARGIN:g} points worse', '+1.6 points over earlier ways', ahead('between', 'probe_first', 'home', seeds, size), -MARGIN)]

def parts_of(net, which): return dict(first=[*net.stages[:3]], last=[net.head], all=None)[which]

def shifted(kind, data):
    "Pictures and labels after a shift: noise in the pictures, or each digit under another name (9 - y)"
    if kind == 'labels': return data.x, 9 - data.labels
    noise = torch.randn(data.x.shape, generator=torch.Generator().manual_seed(0))
    return (data.x + NOISE*noise).clamp(0, 1), data.labels

@cache
def operated(kind, which, seed, size):
    "A network that was tuned on the digits, adapted to a shift by some of its parts: which test pictures are right"
    data = pictures('digits', size)
    (x, y), (train, valid) = shifted(kind, data), data.labelled(SURGERY_LABELS, seed)
    source = course('pretrained', MANY, seed, size)[1]
    if which is None: return right(source, x[data.test], y[data.test])
    def made():
        set_seed(seed)
        net = deepcopy(source)
        return net, parts_of(net, which)
    net = at_best_rate(made, x, y, train, valid, SURGERY_STEPS, SURGERY_RATES, cut=9 if which == 'last' else 0)
    return right(net, x[data.test], y[data.test])

def lee(seeds, size):
    all_of = lambda kind, which: [operated(kind, which, seed, size) for seed in range(seeds)]
    scores = {f'{kind} {which}': float(np.mean(all_of(kind, which))) for kind in ('noise', 'labels') for which in (None, 'first', 'last', 'all')}
    return [row('noise: first', 'After a shift of the pictures (noise), training only the first stages is better than training all', 'better on corruptions',
                points(all_of('noise', 'first'), all_of('noise', 'all')), 0, scores=scores),
            row('labels: last', 'After a shift of the labels (each digit under another name), training only the last layer is better than training all',
                'better on label shifts', points(all_of('labels', 'last'), all_of('labels', 'all')), 0),
            row('noise: not last', 'After noise the first stages are better than the last layer', 'the kind of shift decides',
                points(all_of('noise', 'first'), all_of('noise', 'last')), 0)]

FINDINGS = dict( # name -> what measures it, and who found it
    kornblith=(kornblith, 'Kornblith, Shlens, Le', 2019, 'Do better ImageNet models transfer better?', 'https://arxiv.org/abs/1805.08974'),
    he=(he, 'He, Girshick, Dollár', 2019, 'Rethinking ImageNet pre-training', 'https://arxiv.org/abs/1811.08883'),
    raghu=(raghu, 'Raghu, Zhang, Kleinberg, Bengio', 2019, 'Transfusion: understanding transfer learning for medical imaging', 'https://arxiv.org/abs/1902.07208'),
    yosinski=(yosinski, 'Yosinski, Clune, Bengio, Lipson', 2014, 'How transferable are features in deep neural networks?', 'https://arxiv.org/abs/1411.1792'),
    kumar=(kumar, 'Kumar, Raghunathan, Jones, Ma, Liang', 2022, 'Fine-tuning can distort pretrained features and underperform out-of-distribution',
           'https://arxiv.org/abs/2202.10054'),
    wortsman=(wortsman, 'Wortsman and others', 2022, 'Robust fine-tuning of zero-shot models', 'https://arxiv.org/abs/2109.01903'),
    lee=(lee, 'Lee, Chen, Tajwar, Kumar, Yao, Liang, Finn', 2023, 'Surgical fine-tuning improves adaptation to distribution shifts',
         'https://arxiv.org/abs/2210.11466'))

def measured(name, seeds, size):
    "A finding with its rows and what they took"
    measure, authors, year, title, url = FINDINGS[name]
    began = time.process_time()
    rows = measure(seeds, size)
    return dict(authors=authors, year=year, title=title, url=url, rows=rows, cpu_seconds=round(time.process_time() - began))

def kept(path, seeds, size):
    "The findings of an earlier run that measured the same"
    if not (path and path.exists()): return {}
    old = json.loads(path.read_text())
    return old['findings'] if (old['seeds'], old['size']) == (seeds, size) else {}

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='?', default=','.join(FINDINGS))
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--size', type=int, default=32)
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = kept(args.json, args.seeds, args.size)
    figures = dict(benchmark='findings', seeds=args.seeds, size=args.size, labels=dict(digits_few=FEW, digits_many=MANY, emoji=EMOJI_LABELS, surgery=SURGERY_LABELS),
                   steps=dict(digits_few=LENGTHS[FEW], digits_many=LENGTHS[MANY], emoji=EMOJI_STEPS, surgery=SURGERY_STEPS), findings=found)
    for name in args.names.split(','):
        if name in found: continue
        found[name] = measured(name, args.seeds, args.size)
        finish(args, figures)


if __name__ == '__main__': main()
