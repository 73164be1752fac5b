"A race over made-up trainings, told by `benchmarks/replay.py`: what it spends, what it finds, and what it says where it found too little"

from types import SimpleNamespace

import numpy as np
import pytest
import tl_vs_scratch as tlvs
from benchmarks.replay import OVERHEAD, Replay
from fake_study import fake_task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tl_vs_scratch.answers import shown # noqa: F401 - gives `summary` to studies
from tl_vs_scratch.studies.plan import grid
from tl_vs_scratch.studies.race import Race, additive_means
from tl_vs_scratch.studies.results import targets_of
from tl_vs_scratch.studies.study import Study
from tl_vs_scratch.training.paths import Checkpoint
from tl_vs_scratch.training.recipes import Arm, Settings, Trial

STEPS = 20, 40, 80, 160, 320, 640
N = 120
# label -> (start, where it ends, seconds until then): the small network is slow and ends best, as on photographs of hand signs
WAYS = dict(plain_svm=('none', .80, .1), linear_probe=('pretrained', .82, 10.), fine_tune=('pretrained', .90, 60.),
            convnet=('random', .97, 80.), scratch=('random', .60, 90.))


def outputs_of(rng, targets, accuracy):
    right = rng.random(len(targets)) < accuracy
    return np.eye(3)[np.where(right, targets, (targets + 1) % 3)].astype(np.float32)


def made_up(ways=WAYS, seeds=3, sizes=(N,)):
    "A study that trained everything to its end; each training rises evenly with the logarithm of its steps, from a third"
    task = fake_task(n_test=300, n_labelled=N)
    arms = {label: Arm(label, start, 'body', 'About it.', 'words', '#777777', 'o', True) for label, (start, *_) in ways.items()}
    digests = {label: f'{i:016d}' for i, label in enumerate(ways)}
    trials = []
    for planned in grid(digests, sizes, seeds):
        start, end, seconds = ways[planned.label]
        rng, targets = np.random.default_rng([planned.seed, *map(ord, planned.label)]), targets_of(task, planned.n, planned.seed)
        shares = np.linspace(0, 1, len(STEPS) + 1)[1:]
        path = [] if start == 'none' else [
            Checkpoint(step, seconds*step/STEPS[-1], 1e9*step, 1., {part: outputs_of(rng, targets[part], 1/3 + (end - 1/3)*share) for part in ('test', 'valid')})
            for step, share in zip(STEPS, shares)]
        last = path[-1].outputs if path else {part: outputs_of(rng, targets[part], end) for part in ('test', 'valid')}
        row = dict(strategy=planned.label, settings_digest=planned.digest, n=planned.n, seed=planned.seed, seconds=seconds, seconds_wall=seconds, steps=STEPS[-1],
                   flops=1e12, trainable_params=10, status='done', error='', start=start, body='body', task=task.name)
        trials.append(Trial(row, path, last | dict(train=outputs_of(rng, targets['train'], 1.))))
    return SimpleNamespace(task=task, strategies=arms, digests=digests, seeds=seeds, settings=Settings(), finished=lambda: trials,
                           paths=lambda: [(trial, trial.path) for trial in trials])


def race(folder, seconds, ways=WAYS, **kwargs):
    whole = made_up(ways)
    replay = Replay(whole, folder, [N], {label: seconds for label, (*_, seconds) in ways.items()})
    return replay, replay.run(seconds, **kwargs)


@pytest.mark.parametrize('seconds', [5, 30, 200])
def test_no_more_than_its_time(tmp_path, seconds):
    replay, _ = race(tmp_path, seconds)
    assert 0 < replay.now <= seconds + 2*OVERHEAD


def test_the_same_race_twice(tmp_path):
    first, second = (race(tmp_path/name, 120)[0] for name in 'ab')
    assert first.results.equals(second.results)


def test_with_time_it_finds_the_best_and_leaves_out_the_hopeless(tmp_path):
    replay, found = race(tmp_path, 500)
    summary = replay.summary()
    assert summary.advice.strategy == 'convnet' and not summary.advice.undecided and summary.words[0] == 'Take convnet.'
    assert found.spent('scratch') < found.spent('convnet')


def test_a_slow_starter_is_not_beaten_before_it_could_run(tmp_path):
    "A quarter of a training of the network that ends best: what is ahead so far is not called near to the best"
    replay, _ = race(tmp_path, 45)
    summary = replay.summary()
    assert 'convnet' in summary.advice.undecided and summary.words[0].startswith('So far') and summary.advice.shortfall > .02
    assert not any('probably within' in w or 'almost surely' in w for w in summary.words)


def test_who_is_quick_gets_enough_seeds_whatever_the_first_one_said(tmp_path):
    "A fifth of the time buys certainty: five validation examples of one seed are no reason to stop counting"
    replay, _ = race(tmp_path, 150, WAYS | dict(all_stages_probe=('pretrained', .40, 6.)))
    assert (replay.results.strategy == 'all_stages_probe').sum() == 3


def test_one_training_of_a_strategy_at_a_time(tmp_path):
    "While there is anything else to do, the second seed waits for the first"
    replay, _ = race(tmp_path, 100)
    begun = {}
    for planned in replay.used: begun.setdefault(planned.label, []).append(planned.seed)
    assert all(seeds == sorted(seeds) for seeds in begun.values()) and len(begun) == len(WAYS)


def test_a_stopped_training_was_not_asked_about_its_training_examples(tmp_path, monkeypatch):
    replay, _ = race(tmp_path, 45)
    trials = replay.finished()
    stopped = [trial for trial in trials if trial.row['status'] == 'learning']
    for trial in stopped: del trial.outputs['train'] # as the engine leaves them; the replay knows more
    monkeypatch.setattr(replay, 'finished', lambda: trials)
    counts = {part: sum(len(mine) for mine in replay.read_values(part).values()) for part in ('test', 'train')}
    assert stopped and counts == dict(test=len(trials), train=len(trials) - len(stopped))


@st.composite
def ways(draw):
    "Two to five strategies: how they start, where they end, and after how many seconds"
    kinds = draw(st.lists(st.sampled_from(['none', 'pretrained', 'random']), min_size=2, max_size=5))
    return {f'{start}_{k}': (start, draw(st.floats(.4, .97)), .1 if start == 'none' else draw(st.floats(.5, 80)))
            for k, start in enumerate(kinds)}


# No clear order, as well as one far ahead; and clocks from a second to a quarter of an hour
races = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@races
@given(ways(), st.floats(1, 400))
def test_any_race_keeps_to_its_time(tmp_path_factory, made, seconds):
    replay, _ = race(tmp_path_factory.mktemp('race'), seconds, made)
    first_look = max(took for *_, took in made.values())*STEPS[0]/STEPS[-1]
    assert replay.now <= seconds + first_look + 2*OVERHEAD


@races
@given(ways())
def test_no_race_drops_who_is_clearly_best(tmp_path_factory, made):
    "With time for everything it takes one that is as good as the best, to within the margin and the luck of 300 test examples"
    replay, _ = race(tmp_path_factory.mktemp('race'), 2000, made)
    advised, best = replay.summary().advice.strategy, max(end for _, end, _ in made.values())
    assert advised and made[advised][1] >= best - .04


TOLD = ['strategy', 'n', 'seed', 'steps', 'flops', 'status', 'test_score', 'valid_score']

def counted(out, **kwargs):
    strategies = ['nearest_neighbour', 'linear_probe', 'scratch:small']
    return tlvs.compare('emoji', budget='.1 TFLOP', strategies=strategies, sizes=[20, 40], size=16, max_steps=20, out=out, progress=False, **kwargs).results[TOLD]


def test_a_race_by_arithmetic_repeats_exactly(tmp_path, monkeypatch):
    "With a cold cache and a warm one; and where it was interrupted, it ends as if it had not been"
    monkeypatch.setenv('TLVS_CACHE_DIR', str(tmp_path/'cache'))
    rows = counted(tmp_path/'cold')
    assert 3 < len(rows) < 18 # it was the budget that ended it
    assert tlvs.Results(tmp_path/'cold').recipe()['budget'] == '100000000000FLOP' # which `compare --from` takes
    assert counted(tmp_path/'warm').equals(rows)
    keep, left = Study.keep, iter(range(3))
    def interrupted(self, trial):
        keep(self, trial)
        if next(left, None) is None: raise KeyboardInterrupt
    monkeypatch.setattr(Study, 'keep', interrupted)
    with pytest.raises(KeyboardInterrupt): counted(tmp_path/'parts')
    monkeypatch.setattr(Study, 'keep', keep)
    assert counted(tmp_path/'parts').equals(rows)


@pytest.mark.parametrize('left, said', [(89.7, '90 seconds'), (1., '1 second'), (119., '119 seconds'), (300., '5 minutes')])
def test_a_budget_is_named_as_it_was_given(left, said):
    assert Race.budget_words(SimpleNamespace(left=left)) == said


def test_seeds_that_nobody_shares_turn_no_order_round():
    "Three saw seed 0, the fourth seed 1 alone: what it has is what is known of it"
    apart = {('a', 0): .8, ('b', 0): .8, ('c', 0): .8, ('scratch', 1): .6}
    means = additive_means(apart)
    assert means == pytest.approx(dict(a=.8, b=.8, c=.8, scratch=.6), abs=1e-5)
    lucky = {('a', 0): .8, ('a', 1): .7, ('b', 0): .75} # seed 0 brought .1 to whoever saw it
    assert additive_means(lucky) == pytest.approx(dict(a=.75, b=.7), abs=1e-5)
