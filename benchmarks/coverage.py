"""Do the intervals hold the truth, and is the advice good? Counted in made-up studies of which the truth is known

    python -m benchmarks.coverage [--studies 150] [--json FILE]

An answer is right where a sum is above 0: how good the strategy is, how easy the example is (for all strategies, and for this one), the luck of
the seed, and chance. So the true accuracy of a strategy is known without a test set: it is what infinitely many seeds and examples would give.
Seeds shift an accuracy by 1.2 to 5.8 points (standard deviation), as they do in real trainings on the built-in task of emoji.
"""

import argparse
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from benchmarks.machine import finish
from tl_vs_scratch.answers.advice import recommend
from tl_vs_scratch.answers.curves import crossover, difference, paired_table, size_correlation
from tl_vs_scratch.answers.extrapolation import extrapolate
from tl_vs_scratch.answers.intervals import prior_of, score_interval, spread_of
from tl_vs_scratch.tasks.scores import SCORES

EXAMPLES, ARMS, SEEDS = (50, 200, 1000), (2, 4, 6), 3
POINTS = 1.2, 5.8 # by how much a seed shifts an accuracy, at least and at most: the standard deviation
SHARED, OWN = 1.2, .5 # standard deviations of an example's difficulty: for all strategies, and for one


# ---- a world ----

def latent(accuracy, points):
    "How good a strategy is, and how much a seed changes that, for a true accuracy and a deviation in points"
    z, rest = ndtri(accuracy), 1 + SHARED**2 + OWN**2
    slope = np.exp(-z**2/2)/np.sqrt(2*np.pi)
    share = np.minimum((points/100/slope)**2, .9) # of all variance
    seed = np.sqrt(rest*share/(1 - share))
    return z*np.sqrt(rest + seed**2), seed


def answers(rng, accuracies, points, examples, seeds=SEEDS, easy=None, own=None):
    "Right and wrong, (arms, seeds, examples); `easy` and `own` are what the examples are like, where that is shared by several calls"
    level, seed = latent(np.asarray(accuracies), np.asarray(points))
    arms = len(level)
    easy = SHARED*rng.normal(size=examples) if easy is None else easy
    own = OWN*rng.normal(size=(arms, 1, examples)) if own is None else own
    luck = seed[:, None, None]*rng.normal(size=(arms, seeds, 1))
    return level[:, None, None] + easy + own + luck + rng.normal(size=(arms, seeds, examples)) > 0


def made_study(tables):
    "What the tables of `answers` ask of a study; `tables` are {n: (arms, seeds, examples)}"
    arms = [f's{i}' for i in range(len(next(iter(tables.values()))))]
    values = {(arm, n): dict(enumerate(table)) for n, found in tables.items() for arm, table in zip(arms, found.astype(float))}
    return SimpleNamespace(values=lambda part='test': values, strategies=dict.fromkeys(arms), sizes=sorted(tables), score=SCORES['accuracy'])


# ---- intervals ----

def coverage(rng, studies, arms, examples, points=None, accuracy=(.55, .9), seeds=SEEDS):
    "How often the intervals of scores and of pairs hold the truth, and how wide they are in points; `points` are the arms' deviations by seed (None: drawn)"
    single, pairs, wide = [], [], []
    for _ in range(studies):
        true, sd = rng.uniform(*accuracy, arms), rng.uniform(*POINTS, arms) if points is None else np.resize(points, arms)
        table = answers(rng, true, sd, examples, seeds)
        spreads = [spread_of(o.astype(float)) for o in table]
        for k in range(arms):
            low, high = score_interval(table[k], prior_of(spreads[:k] + spreads[k+1:]), share=True)[1]
            single.append(low <= true[k] <= high)
        for row in paired_table(made_study({1: table})).itertuples():
            gap = true[int(row.a[1:])] - true[int(row.b[1:])]
            pairs.append(row.low <= gap <= row.high)
            wide.append(row.high - row.low)
    return dict(arms=arms, examples=examples, single=np.mean(single), pairs=np.mean(pairs), pair_width_points=100*np.median(wide))


def near_the_end(rng, studies, examples=50, accuracy=.99):
    "The same for two strategies that are nearly always right"
    return coverage(rng, studies, 2, examples, (.3, .8), (accuracy, accuracy)) | dict(accuracy=accuracy)


def false_alarms(rng, studies, arms, examples):
    "How often some strategy is called ahead of another, though all are equal; `plain` is without the correction"
    alarms, plain = 0, 0
    for _ in range(studies):
        table = answers(rng, np.full(arms, rng.uniform(.55, .9)), np.full(arms, rng.uniform(*POINTS)), examples)
        pairs = paired_table(made_study({1: table}))
        alarms += ((pairs.wide_low > 0) | (pairs.wide_high < 0)).any()
        plain += ((pairs.low > 0) | (pairs.high < 0)).any()
    return dict(arms=arms, examples=examples, false_ahead=alarms/studies, plain=plain/studies)


def entered_twice(rng, studies, arms, examples):
    "A/A: the last strategy is the first once more, trained anew; how often one of the two is called ahead, with and without the correction"
    ahead, plain = 0, 0
    for _ in range(studies):
        true, sd, own = rng.uniform(.55, .9, arms), rng.uniform(*POINTS, arms), OWN*rng.normal(size=(arms, 1, examples))
        for of in (true, sd, own): of[-1] = of[0]
        pair = difference(paired_table(made_study({1: answers(rng, true, sd, examples, own=own)})), 's0', f's{arms - 1}').iloc[0]
        ahead += pair.wide_low > 0 or pair.wide_high < 0
        plain += pair.low > 0 or pair.high < 0
    return dict(arms=arms, examples=examples, false_ahead=ahead/studies, plain=plain/studies)


# ---- the advice ----

def advice_loss(rng, studies, arms, examples):
    "How many points the advised strategy is worse than the truly best, beside what was said, the best mean, and what each costs"
    lost, said, best_mean, cost = [], [], [], []
    for _ in range(studies):
        true, seconds = rng.normal(.75, .06, arms).clip(.4, .97), np.exp(rng.normal(0, 1.2, arms))
        table = answers(rng, true, rng.uniform(*POINTS, arms), examples)
        study = made_study({1: table})
        means = pd.DataFrame(dict(strategy=list(study.strategies), n=1, seeds=SEEDS, score=table.mean((1, 2)), seconds=seconds, flops=1e12))
        advice = recommend(means, paired_table(study), rivals=study.strategies) # of rivals it is not said that they are beaten, which takes long
        taken, first = int(advice.strategy[1:]), int(table.mean((1, 2)).argmax())
        lost.append(100*(true.max() - true[taken]))
        best_mean.append(100*(true.max() - true[first]))
        said.append(100*advice.shortfall)
        cost.append(seconds[taken]/seconds[first])
    return dict(arms=arms, examples=examples, loss_points=np.mean(lost), said_points=np.mean(said), over_3_points=np.mean(np.array(lost) > 3),
                loss_of_best_mean=np.mean(best_mean), cost_beside_best_mean=np.exp(np.mean(np.log(cost))))


# ---- the crossover ----

SIZES = np.array([50, 100, 200, 400, 800])
CROSSINGS = dict(clear=(.24, .57), weak=(.15, .27)) # how much the difference falls over all sizes, at least and at most


def curves(rng, kind):
    "True accuracies of a pretrained and a scratch strategy at any number of labels, and where they cross; both saturate"
    start, rise, power = rng.uniform(.6, .75), rng.uniform(.1, .2), rng.uniform(.3, .6)
    cross = np.exp(rng.uniform(np.log(110), np.log(400)))
    fall, bent = rng.uniform(*CROSSINGS[kind]), rng.uniform(.3, .9)
    def pretrained(n): return start + rise*(1 - (n/50)**-power)
    def gap(n): return fall*((n/cross)**-bent - 1)/((50/cross)**-bent - (800/cross)**-bent)
    return pretrained, lambda n: (pretrained(n) - gap(n)).clip(.02, .98), cross


def crossings(rng, studies, kind, examples):
    "How often the crossover's interval holds the true one, how far its ends are apart, and how often nothing could be said"
    held, ratios, status = [], [], []
    for _ in range(studies):
        pretrained, scratch, true = curves(rng, kind)
        easy, own = SHARED*rng.normal(size=examples), OWN*rng.normal(size=(2, 1, examples))
        points = rng.uniform(1.2, 4, 2)
        tables = {int(n): answers(rng, [pretrained(n), scratch(n)], points, examples, easy=easy, own=own) for n in SIZES}
        study = made_study(tables)
        d = difference(paired_table(study), 's0', 's1')
        found = crossover(d, size_correlation(study, 's0', 's1', d))
        status.append(found['status'])
        low, high = found['low'] or 0, found['high'] or np.inf
        held.append(low <= true <= high if found['status'] != 'not_within' else False)
        if found['status'] == 'crossed': ratios.append(high/low)
    return dict(kind=kind, examples=examples, held=np.mean(held), crossed=np.mean([s == 'crossed' for s in status]),
                ratio_of_ends=float(np.median(ratios)) if ratios else None)


# ---- beyond what was measured ----

MEASURED = (50, 100, 200), (50, 100, 200, 400, 800)


def late(rng):
    "A curve as from scratch: low for long, then up, then flat"
    top, chance, half, power = rng.uniform(.75, .99), rng.uniform(.1, .25), np.exp(rng.uniform(np.log(50), np.log(400))), rng.uniform(.8, 2)
    return lambda n: chance + (top - chance)/(1 + (half/n)**power)


def early(rng):
    "A curve as of pretrained weights: a power law"
    top, missing, power = rng.uniform(.8, .97), rng.uniform(.1, .3), rng.uniform(.3, 1)
    return lambda n: top - missing*(n/30)**-power


def straight(rng):
    "A curve that goes on rising"
    start, slope = rng.uniform(.3, .6), rng.uniform(.02, .1)
    return lambda n: start + slope*np.log(n/30)


def bumpy(rng):
    "A power law that is not monotone"
    smooth, height, at = early(rng), rng.uniform(.01, .025), rng.uniform(0, 2*np.pi)
    return lambda n: smooth(n) + height*np.sin(2*np.log(n) + at)


LAWS = dict(late=late, early=early, straight=straight, bumpy=bumpy)


def continued(rng, studies, kind, examples, measured):
    "How often the interval of the score at twice the labels holds the truth, and that of what a half more would bring, with their widths in points"
    held, widths, gains, gain_widths = [], [], [], []
    for _ in range(studies):
        law, sizes = LAWS[kind](rng), (np.array(measured)*rng.uniform(.5, 2)).astype(int)
        def truth(n): return float(np.clip(law(n), .02, .985))
        easy, own, points = SHARED*rng.normal(size=examples), OWN*rng.normal(size=(1, 1, examples)), rng.uniform(1.2, 4)
        tables = {int(n): answers(rng, [truth(n)], [points], examples, easy=easy, own=own) for n in sizes}
        found, most = extrapolate(made_study(tables), 's0'), int(sizes[-1])
        at, more = found.at(2*most), found.more(most//2)
        held.append(at['low'] <= truth(2*most) <= at['high'])
        gains.append(more['low'] <= truth(most + most//2) - truth(most) <= more['high'])
        widths.append(at['high'] - at['low'])
        gain_widths.append(more['high'] - more['low'])
    return dict(kind=kind, examples=examples, sizes=len(measured), held=np.mean(held), width_points=100*np.median(widths),
                gain_held=np.mean(gains), gain_width_points=100*np.median(gain_widths))


# ---- all of it ----

def measured(studies, seed=0):
    "Every figure, as {name: list of rows}"
    rng = np.random.default_rng(seed)
    return dict(
        coverage=[coverage(rng, studies, arms, examples) for arms in ARMS for examples in EXAMPLES],
        unequal_seeds=[coverage(rng, studies, arms, 1000, (1.2, 3.5)) for arms in ARMS],
        near_the_end=[near_the_end(rng, 2*studies)],
        equal_strategies=[false_alarms(rng, studies, arms, examples) for arms in ARMS for examples in EXAMPLES],
        entered_twice=[entered_twice(rng, studies, arms, examples) for arms in ARMS for examples in EXAMPLES],
        advice=[advice_loss(rng, 2*studies, arms, examples) for arms in (4, 6) for examples in EXAMPLES],
        crossover=[crossings(rng, studies, kind, examples) for kind in CROSSINGS for examples in (200, 1000)],
        extrapolation=[continued(rng, studies, kind, examples, measured) for kind in LAWS for examples in (200, 1000) for measured in MEASURED])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--studies', type=int, default=150, help='made-up studies per line of a table (default: 150)')
    parser.add_argument('--json', type=Path, help='write the figures here')
    args = parser.parse_args()
    began = time.process_time() # other programs may want the processor
    figures = measured(args.studies)
    finish(args, dict(benchmark='coverage', studies=args.studies, seeds=SEEDS, cpu_seconds=time.process_time() - began, **figures))


if __name__ == '__main__': main()
