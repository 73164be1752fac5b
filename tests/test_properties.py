"What holds for all inputs: subsets, copies, rates, intervals, crossovers, steps, groups, recipes, curves"

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.data.core import DataLoaders
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tl_vs_scratch.answers.curves import crossover
from tl_vs_scratch.answers.extrapolation import continued
from tl_vs_scratch.answers.intervals import paired_difference
from tl_vs_scratch.tasks.pictures import Pictures
from tl_vs_scratch.tasks.task import MIN_LABELS, Task, make_task
from tl_vs_scratch.tasks.texts import Texts
from tl_vs_scratch.training.recipes import Anytime, OneCycle, Phase, StageByStage, Strategy, ThawOnPlateau
from tl_vs_scratch.training.trial import in_steps
from tl_vs_scratch.training.unfreezing import discriminative_lrs

GREY = Pictures(mode='L')
few = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
names = lambda k: [f'class {i}' for i in range(k)]


# --- subsets ---

@st.composite
def tasks(draw):
    "A task of 2 to 5 classes with 3 to 30 labelled examples each, in any order, and some test examples"
    counts = draw(st.lists(st.integers(MIN_LABELS, 30), min_size=2, max_size=5))
    tests = draw(st.lists(st.integers(0, 5), min_size=len(counts), max_size=len(counts)))
    rows = [(c, t) for c, (k, m) in enumerate(zip(counts, tests)) for t in [False]*k + [True]*m]
    np.random.default_rng(draw(st.integers(0, 99))).shuffle(rows)
    labels, is_test = (np.array(v) for v in zip(*rows))
    ids = [str(i) for i in range(len(rows))]
    return Task('toy', ids, ids, labels.astype(int), names(len(counts)), is_test.astype(bool), ids, Pictures())


@few
@given(tasks(), st.integers(0, 2**31))
def test_subsets(task, seed):
    in_class = np.bincount(task.labels[~task.is_test])
    old_train, old_valid = set(), set()
    for n in range(task.min_labels, task.labels_available + 1):
        train, valid = task.subset(n, seed)
        assert len({*train, *valid}) == len(train) + len(valid) == n, 'disjoint, each once'
        assert not task.is_test[[*train, *valid]].any()
        assert old_train <= {*train} and old_valid <= {*valid}, 'nested'
        drawn = np.bincount(task.labels[[*train, *valid]], minlength=task.n_classes)
        assert (np.bincount(task.labels[train], minlength=task.n_classes) >= 2).all()
        assert (np.bincount(task.labels[valid], minlength=task.n_classes) >= 1).all()
        # stratified: beyond the guaranteed three, no class is ahead of another by more than half a picture of each
        for a in np.flatnonzero(drawn > MIN_LABELS):
            assert (drawn[a]/in_class[a] - drawn/in_class <= .5/in_class[a] + .5/in_class + 1e-9).all(), (drawn, in_class)
        old_train, old_valid = {*train}, {*valid}


@few
@given(tasks(), st.integers(0, 99))
def test_subset_is_the_same_each_time(task, seed):
    (a, b), (c, d) = task.subset(task.min_labels, seed), task.subset(task.min_labels, seed)
    assert a.tolist() == c.tolist() and b.tolist() == d.tolist()


# --- copies ---

def picture(v): return np.array([[v, 255 - v], [v//2, 7]], np.uint8)


@st.composite
def patterns(draw):
    "Pictures with many copies: what each shows, its label, and whether it is a test picture; enough of each class that differ"
    rows = draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1), st.booleans()), min_size=1, max_size=40))
    rows += [(100 + 10*c + i, c, False) for c in (0, 1) for i in range(MIN_LABELS + 1)] + [(200 + c, c, True) for c in (0, 1)]
    return draw(st.permutations(rows))


def split(rows, own_test):
    shows, labels, is_test = zip(*rows)
    task = make_task('toy', [picture(v) for v in shows], [f'{i:03d}' for i in range(len(rows))], labels, names(2), GREY, is_test=is_test if own_test else None)
    kept = [int(i) for i in task.ids]
    return task, kept, [shows[i] for i in kept]


@few
@given(patterns())
@example([(1, 0, False), (1, 1, True)] + [(100 + 10*c + i, c, False) for c in (0, 1) for i in range(4)] + [(200 + c, c, True) for c in (0, 1)])
def test_copies_with_a_given_test_set(rows):
    task, kept, shows = split(rows, True)
    test = {s for s, t in zip(shows, task.is_test) if t}
    learnt = [s for s, t in zip(shows, task.is_test) if not t]
    assert [i for i in kept if rows[i][2]] == [i for i, r in enumerate(rows) if r[2]], 'the test set loses no picture'
    assert task.is_test.tolist() == [rows[i][2] for i in kept] and task.labels.tolist() == [rows[i][1] for i in kept]
    assert not test & {*learnt}, 'no picture on both sides'
    assert len({*learnt}) == len(learnt), 'no labelled picture twice'
    conflicting = {s for s in {r[0] for r in rows} if len({r[1] for r in rows if r[0] == s}) > 1}
    assert not conflicting & {*learnt}
    # and nothing is dropped without a reason
    assert {*learnt} == {r[0] for r in rows} - conflicting - {r[0] for r in rows if r[2]}
    assert sorted([*task.ids, *task.dropped.id]) == [f'{i:03d}' for i in range(len(rows))]


@few
@given(patterns())
def test_copies_with_a_drawn_test_set(rows):
    task, kept, shows = split(rows, False)
    conflicting = {s for s in {r[0] for r in rows} if len({r[1] for r in rows if r[0] == s}) > 1}
    assert len({*shows}) == len(shows) and {*shows} == {r[0] for r in rows} - conflicting
    assert task.is_test.any() and (np.bincount(task.labels[~task.is_test]) >= MIN_LABELS).all()


@few
@given(st.lists(st.integers(MIN_LABELS + 1, 12), min_size=2, max_size=3), st.floats(.05, .9))
@example([4, 4], .5)
def test_a_drawn_test_set_leaves_enough_to_learn_from(counts, share):
    "Either so many that the smallest subset has two training pictures and a validation picture per class, or an error says so"
    labels = np.repeat(np.arange(len(counts)), counts)
    try: task = make_task('toy', [picture(i) for i in range(len(labels))], [str(i) for i in range(len(labels))], labels, names(len(counts)), GREY, test_share=share)
    except ValueError: return
    assert (np.bincount(task.labels[task.is_test], minlength=len(counts)) >= 1).all()
    assert (np.bincount(task.labels[~task.is_test], minlength=len(counts)) >= MIN_LABELS).all()


# --- rates, intervals, crossovers ---

@few
@given(st.floats(1e-8, 10), st.integers(1, 60), st.none() | st.floats(1, 10))
def test_rates_never_grow_towards_the_input(lr, stages, decay):
    lrs = discriminative_lrs(lr, stages, decay)
    assert len(lrs) == stages + 1 and lrs[-1] == lr and all(0 < a <= b for a, b in zip(lrs, lrs[1:]))
    assert all(b/a == pytest.approx(lrs[-1]/lrs[-2]) for a, b in zip(lrs, lrs[1:])), 'geometrically'
    if decay is None: assert lrs[-1]/lrs[0] == pytest.approx(2.6**3)


@st.composite
def answers(draw):
    "Right and wrong answers of two strategies, over the same seeds and pictures"
    rng, shape = np.random.default_rng(draw(st.integers(0, 999))), (draw(st.integers(1, 5)), draw(st.integers(1, 40)))
    return tuple(rng.random(shape) < draw(st.floats(0, 1)) for _ in range(2))


@few
@given(answers())
def test_paired_difference_turns_round(pair):
    a, b = pair
    (m, ci), (m2, ci2) = paired_difference(a, b), paired_difference(b, a)
    assert m == pytest.approx(a.mean() - b.mean()) and m == -m2
    if len(a) < 3 or a.shape[1] < 2: assert ci is ci2 is None, 'too few seeds, or nothing to compare examples with'
    else:
        assert ci == pytest.approx((-ci2[1], -ci2[0]), abs=1e-9)
        assert -1 <= ci[0] < m < ci[1] <= 1 or m in (ci[0], ci[1], 1, -1), 'the mean is inside'


@st.composite
def differences(draw):
    "A table of differences, in any order, some without an interval"
    sizes = draw(st.lists(st.integers(1, 10**6), unique=True, max_size=7))
    rows = []
    for n in sizes:
        d, down, up = draw(st.floats(-1, 1)), draw(st.floats(0, .6)), draw(st.floats(0, .6))
        has = draw(st.booleans()) or draw(st.booleans())
        rows.append(dict(n=n, seeds=3, difference=d, low=d - down if has else np.nan, high=d + up if has else np.nan))
    return pd.DataFrame(rows, columns=['n', 'seeds', 'difference', 'low', 'high'])


@settings(few, max_examples=200)
@given(differences())
def test_crossover_of_any_table(table):
    res = crossover(table)
    assert set(res) == {'status', 'low', 'mid', 'high'} and res['status'] in ('crossed', 'not_within', 'undecided')
    assert all(res[k] is None or type(res[k]) is int for k in ('low', 'mid', 'high')), 'ready for JSON'
    if table.low.isna().any() or table.empty: assert res['status'] == 'undecided'
    elif (table.low > 0).all() or (table.high < 0).all(): assert res['status'] == 'not_within', 'every size is significant'
    else: assert res['status'] != 'not_within'
    if res['status'] == 'crossed':
        assert res['low'] <= res['mid'] <= res['high']
        assert not (table.n[table.low > 0] > res['high']).any() and not (table.n[table.high < 0] < res['low']).any()
    else: assert res['mid'] is None
    if not (table.low > 0).any() and not (table.high < 0).any(): assert res['status'] == 'undecided'


@few
@given(differences(), st.floats(.01, .3))
def test_crossover_is_found_where_there_is_one(table, width):
    "Differences that fall through zero, with intervals that exclude it at both ends"
    if len(table) < 2: return
    d = table.sort_values('n').assign(difference=np.linspace(.5, -.5, len(table)))
    d = d.assign(low=d.difference - width, high=d.difference + width).sample(frac=1, random_state=0)
    res = crossover(d)
    ahead, behind = d.n[d.low > 0].max(), d.n[d.high < 0].min()
    assert res['status'] == 'crossed' and ahead <= res['low'] + 1 and res['high'] - 1 <= behind


# --- steps ---

@few
@given(st.integers(2, 40), st.integers(1, 16), st.integers(1, 9), st.integers(1, 4))
@example(10, 7, 3, 4)
def test_steps_show_each_example_equally_often(n, bs, steps, epochs):
    dls = DataLoaders.from_dsets([(torch.tensor(i), torch.tensor(0)) for i in range(n)], [(torch.tensor(0), torch.tensor(0))], bs=min(bs, n), num_workers=0, device='cpu')
    seen = Counter({i: 0 for i in range(n)})
    for k in range(epochs): # a training that goes on where it was looked at
        train = in_steps(dls, steps, k*steps, seed=3).train
        batches = [x.tolist() for x, _ in train]
        assert len(batches) == len(train) == steps and {len(b) for b in batches} == {min(bs, n)}
        for b in batches: seen.update(b)
        assert max(seen.values()) - min(seen.values()) <= 1 and len(seen) == n


# --- groups ---

@st.composite
def patients(draw):
    "Texts that come in groups of any size, each group of one or several classes"
    sizes = draw(st.lists(st.integers(1, 5), min_size=14, max_size=40))
    labels = [draw(st.integers(0, 1)) if draw(st.booleans()) else k % 2 for k, size in enumerate(sizes) for _ in range(size)]
    return [f'patient {k}' for k, size in enumerate(sizes) for _ in range(size)], labels


@few
@given(patients(), st.integers(0, 99))
def test_a_group_is_on_one_side(made, seed):
    groups, labels = made
    texts = [f'what was seen the day {i}' for i in range(len(labels))]
    try: task = make_task('toy', texts, texts, labels, names(2), Texts(), groups=groups)
    except ValueError as e:
        assert 'group' in str(e) or 'class' in str(e), e
        return
    assert len({task.groups[i] for i in task.test_idxs} & {task.groups[i] for i in task.labelled_idxs}) == 0
    for n in {task.min_labels, task.labels_available}:
        try: train, valid = task.subset(n, seed)
        except ValueError as e:
            assert 'group' in str(e), e
            continue
        assert not {*task.groups[train]} & {*task.groups[valid]}, 'nobody validates who is learnt from'
        assert not {*train, *valid} & {*task.test_idxs}


# --- recipes ---

phases = st.builds(lambda train, steps, schedule: Phase(train=train, steps=steps, schedule=schedule),
                   st.sampled_from(['head', 'all', 1, 2, 3, 50]), st.integers(1, 60), st.sampled_from([Anytime(), OneCycle(), StageByStage(), ThawOnPlateau()]))


@few
@given(st.lists(phases, min_size=1, max_size=3), st.integers(1, 24), st.floats(.1, 90))
def test_recipes_in_a_body_of_any_depth(made, n_stages, batches):
    strategy = Strategy('any', 'pretrained', tuple(made))
    parts = strategy.parts(n_stages)
    frozen = [part.frozen(n_stages) for part in parts]
    assert parts and all(0 <= k <= n_stages for k in frozen) and set(frozen) == strategy.cuts(n_stages)
    assert all(part.length(batches) >= 1 for part in parts)
    for phase in made:
        own = [part.frozen(n_stages) for part in phase.schedule.parts(phase, n_stages)]
        assert own == sorted(own, reverse=True), 'what is thawed within a phase is not frozen again'
    assert strategy.sentence('a body').endswith('.')


# --- curves ---

@st.composite
def measured(draw):
    "Right and wrong answers of three seeds at three to five numbers of labels; the share that is right may rise, fall or jump"
    sizes = sorted(draw(st.sets(st.integers(10, 2000), min_size=3, max_size=5)))
    shares, seed = [draw(st.floats(0, 1)) for _ in sizes], draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    return {n: (rng.random((3, 40)) < share).astype(float) for n, share in zip(sizes, shares)}


@settings(few, max_examples=15)
@given(measured())
def test_any_curve_can_be_continued(tables):
    labels, curves = continued(tables)
    top = max(tables)
    assert labels[0] == top and labels[-1] <= 2*top + 1 and (np.diff(labels) >= 0).all(), 'no further than twice the labels'
    assert curves.shape[0] == len(labels) and np.isfinite(curves).all()
