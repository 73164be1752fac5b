"""What the answers promise about chance, counted in made-up studies of which the truth is known (the world is that of `benchmarks/coverage.py`)

A share that is counted in N studies may miss what is promised by two standard errors. Every N is small, so that the whole takes seconds; the
benchmark counts more.
"""

import json
import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from benchmarks import coverage as world
from tl_vs_scratch.answers import extrapolation
from tl_vs_scratch.answers.advice import recommend, verdict
from tl_vs_scratch.answers.curves import crossover, difference, label_efficiency, paired_table
from tl_vs_scratch.answers.intervals import Prior, paired_difference, score_interval
from tl_vs_scratch.answers.words import crossing_words

PRIORS = None, Prior(1., 4), Prior(10., 4) # what other strategies may show about seeds


def noise(share, studies): return 2*(share*(1 - share)/studies)**.5
def at_least(share, studies): return share - noise(share, studies)
def at_most(share, studies): return share + noise(share, studies)
def rng(): return np.random.default_rng(1)


# ---- the world itself: a truth that is not true would make everything else worthless ----

def test_the_truth_of_the_made_up_studies():
    "Mean and deviation by seed of an accuracy are what was asked for; the test examples are so many that they do not matter"
    found = world.answers(rng(), [.6, .75, .9], [1.2, 3.5, 5.8], 20_000, seeds=60).mean(2)
    assert found.mean(1) == pytest.approx([.6, .75, .9], abs=.02)
    assert 100*found.std(1, ddof=1) == pytest.approx([1.2, 3.5, 5.8], rel=.3)


# ---- near the ends ----

@pytest.mark.parametrize('prior', PRIORS)
def test_nine_of_nine_right_proves_little(prior):
    mean, (low, high) = score_interval(np.ones((3, 9)), prior)
    assert mean == high == 1 and .5 < low <= .75
    low, high = score_interval(np.zeros((3, 9)), prior)[1]
    assert low == 0 and .25 <= high < .5


def discordant(count, examples=40, seeds=3):
    "Two strategies that differ on so many examples, the same in each seed; `a` is right there"
    b = np.tile(np.arange(examples) % 4 > 0, (seeds, 1)) # a quarter is wrong
    a = b.copy()
    a[:, np.flatnonzero(~b[0])[:count]] = True
    return a, b


@pytest.mark.parametrize('prior', PRIORS)
def test_four_discordant_examples_of_forty_put_nobody_ahead(prior):
    a, b = discordant(4)
    mean, (low, high) = paired_difference(a, b, prior)
    assert mean == pytest.approx(.1) and low < 0 < high
    assert paired_difference(b, a, prior)[1] == pytest.approx((-high, -low))
    assert paired_difference(*discordant(10), prior)[1][0] > 0 # ten of ten: exact McNemar p = .002


@pytest.mark.parametrize('arms', [2, 4])
def test_four_discordant_examples_in_the_table(arms):
    a, b = discordant(4)
    d = difference(paired_table(world.made_study({1: np.stack([a, b, b, b][:arms])})), 's0', 's1')
    assert [verdict(row) for row in d.itertuples()] == ['alike']


def test_nearly_always_right():
    "99% right, 50 examples: the bootstrap covered .52 to .85"
    found = world.near_the_end(rng(), 200)
    assert min(found['single'], found['pairs']) >= at_least(.95, 200)


# ---- seeds that matter unequally ----

@pytest.mark.parametrize(('arms', 'studies'), [(2, 300), (4, 100)])
def test_seeds_that_matter_unequally(arms, studies):
    found = world.coverage(rng(), studies, arms, 1000, points=(1.2, 3.5))
    assert found['single'] >= at_least(.93, studies) and found['pairs'] >= at_least(.93, studies), found
    assert found['pair_width_points'] < 20 # not by saying nothing


def test_intervals_hold_the_truth_with_few_examples():
    found = world.coverage(rng(), 80, 4, 50)
    assert found['single'] >= at_least(.93, 80) and found['pairs'] >= at_least(.93, 80), found
    assert found['pair_width_points'] < 30


@pytest.mark.parametrize('seeds', [1, 2])
def test_two_seeds_give_no_interval(seeds):
    tables = {n: world.answers(rng(), [.9, .5, .3], [1.2, 3.5, 2.], 200, seeds) for n in (50, 100)}
    assert score_interval(tables[50][0], Prior(1., 4))[1] is None
    assert paired_difference(tables[50][0], tables[50][1], Prior(1., 4))[1] is None
    pairs = paired_table(world.made_study(tables))
    assert pairs[['low', 'high', 'error', 'wide_low', 'wide_high']].isna().to_numpy().all()
    assert {verdict(row) for row in pairs.itertuples()} == {'few_seeds'}
    assert crossover(difference(pairs, 's0', 's1'))['status'] == 'undecided'
    gained = label_efficiency(tables[50][0], 50, {n: o[1] for n, o in tables.items()})
    assert np.isnan([gained['low'], gained['high']]).all()
    assert recommend(means_of(tables[100], np.ones(3), seeds), pairs[pairs.n == 100].assign(n=1)).strategy is None


def means_of(table, seconds, seeds=3):
    "What `score_table` tells `recommend`"
    labels = [f's{i}' for i in range(len(table))]
    return pd.DataFrame(dict(strategy=labels, n=1, seeds=seeds, score=table.mean((1, 2)), seconds=seconds, flops=1e12))


# ---- many comparisons ----

@pytest.mark.parametrize('examples', [200, 1000])
def test_six_equal_strategies(examples):
    found = world.false_alarms(rng(), 60, 6, examples)
    assert found['false_ahead'] <= at_most(.08, 60), found
    assert found['plain'] > found['false_ahead'] # plain intervals are for tables, not for words


def test_a_strategy_entered_twice():
    found = world.entered_twice(rng(), 80, 3, 200)
    assert found['plain'] <= at_most(.07, 80) and found['false_ahead'] <= found['plain'], found


def test_large_differences_are_seen():
    "Caution alone would pass all of the above"
    seen = 0
    for seed in range(30):
        r = np.random.default_rng([2, seed])
        pairs = paired_table(world.made_study({1: world.answers(r, [.85, .6, .6, .6], [2.]*4, 200)}))
        seen += (pairs.query('a == "s0"').wide_low > 0).all()
    assert seen >= 24


# ---- what pretraining is worth in labels ----

def learnt(n, at_hundred, slope): return at_hundred + slope*np.log(n/100)


def efficiency(r, gap, sizes=(50, 100, 200, 400), examples=400):
    "Label efficiency at 100 labels, and the true one; scratch is log-linear, the pretrained strategy is `gap` above it at 100 labels"
    start, slope = r.uniform(.55, .65), r.uniform(.08, .12)
    easy, own = world.SHARED*r.normal(size=examples), world.OWN*r.normal(size=(2, 1, examples))
    tables = {n: world.answers(r, [start + gap, learnt(n, start, slope)], [1.2, 2.5], examples, easy=easy, own=own) for n in sizes}
    true = 100*np.exp(gap/slope)
    return label_efficiency(tables[100][0], 100, {n: o[1] for n, o in tables.items()}), true - 100


def test_worth_is_not_nothing_where_scratch_is_ahead():
    for seed in range(20):
        found, _ = efficiency(np.random.default_rng([3, seed]), -.2)
        assert (found['low'], found['high']) != (0, 0) and found['low'] == -100 and found['high'] < 0 and found['worth'] < 0, found


@pytest.mark.parametrize('gap', [-.12, 0., .07])
def test_worth_holds_the_truth(gap):
    "Scratch needs fewer labels than its smallest size (so many that only a bound can be given), as many, or more"
    held = []
    for seed in range(100):
        found, true = efficiency(np.random.default_rng([4, seed]), gap)
        held.append(found['low'] <= true <= found['high'])
    assert np.mean(held) >= at_least(.93, 100)


# ---- the crossover ----

def judged(signs):
    "Differences that are clearly above 0 (1), clearly below (-1) or open (0)"
    d = np.array(signs)*.1
    return pd.DataFrame(dict(n=50*2**np.arange(len(d)), seeds=3, difference=d, low=d - .05, high=d + .05))


def test_every_size_means_every_size():
    for signs in product((1, 0, -1), repeat=4):
        found = crossover(judged(signs))
        assert (found['status'] == 'not_within') == (set(signs) in ({1}, {-1})), signs
        assert ('at every size' in crossing_words(found)) == (set(signs) == {-1}), signs
        assert ('does not catch up' in crossing_words(found)) == (set(signs) == {1}), signs


@pytest.mark.parametrize(('kind', 'widest'), [('clear', 3.5), ('weak', 4.7)])
def test_the_crossover_lies_within_its_interval(kind, widest):
    found = world.crossings(rng(), 100, kind, 200)
    assert found['held'] >= at_least(.93, 100) and found['ratio_of_ends'] <= widest, found
    assert found['crossed'] > .3, found # it does say where, often enough


# ---- the advice ----

def test_advice_costs_little():
    found = world.advice_loss(rng(), 100, 6, 200)
    assert found['over_3_points'] <= at_most(.15, 100), found
    assert found['loss_points'] <= 1.2 + 2*1.3/100**.5, found # the loss of one study varies by 1.3 points
    assert found['said_points'] == pytest.approx(found['loss_points'], abs=.5) # what is said is what happens


def test_advice_does_not_take_the_dearest_for_a_trifle():
    table = np.stack([o for o in discordant(0, 400)] + [np.ones((3, 400), bool)])
    advice = recommend(means_of(table, [5., 1., 90.]), paired_table(world.made_study({1: table})))
    assert advice.strategy == 's2' # 25 points ahead
    advice = recommend(means_of(table[:2], [5., 1.]), paired_table(world.made_study({1: table[:2]})))
    assert advice.strategy == 's1' # equal: the cheapest


def advised_with_a_pair_that_lacks_seeds():
    "Four seeds, of which one strategy lost the last and another the first: they share two; the third strategy is 35 points ahead of both"
    study = world.made_study({1: world.answers(np.random.default_rng(0), [.55, .55, .9], [1.2]*3, 1000, seeds=4)})
    values = study.values()
    values['s0', 1].pop(3), values['s1', 1].pop(0)
    means = means_of(np.stack([np.stack(list(o.values()))[:3] for o in values.values()]), np.ones(3))
    return recommend(means, paired_table(study))


def test_a_pair_that_lacks_seeds_does_not_turn_the_advice(): assert advised_with_a_pair_that_lacks_seeds().strategy == 's2'


def test_a_pair_that_lacks_seeds_hides_nobody_who_is_ahead():
    found = [f.strategies for f in advised_with_a_pair_that_lacks_seeds().reasons if f.kind == 'ahead']
    assert found == [('s2', 's0'), ('s2', 's1')]


# ---- beyond what was measured ----

@pytest.mark.parametrize('kind', world.LAWS)
def test_a_continued_curve_holds_the_truth(kind):
    found = world.continued(rng(), 40, kind, 200, (50, 100, 200))
    assert found['held'] >= at_least(.93, 40) and found['gain_held'] >= at_least(.93, 40), found
    assert found['width_points'] < 40 and found['gain_width_points'] < 25 # not by saying nothing


def test_without_drift_it_would_not(monkeypatch):
    monkeypatch.setattr(extrapolation, 'DRIFT', 0.)
    monkeypatch.setattr(extrapolation, 'LEAST_DRIFT', 0.)
    assert world.continued(rng(), 60, 'bumpy', 1000, (50, 100, 200, 400, 800))['gain_held'] < .9


# ---- the benchmark ----

def test_benchmark(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, 'argv', ['coverage', '--studies', '1', '--json', str(tmp_path/'out.json')])
    world.main()
    found = json.loads((tmp_path/'out.json').read_text())
    assert {o['examples'] for o in found['advice']} == {50, 200, 1000} and {o['arms'] for o in found['coverage']} == {2, 4, 6}
    assert all(0 <= o['pairs'] <= 1 and 0 <= o['single'] <= 1 for o in found['coverage'])
