"A training asks its own answers whether it is done: what it sees there, and that this outlasts being put away"

from dataclasses import replace

import numpy as np
import pytest
from tl_vs_scratch import compare
from tl_vs_scratch.tasks.builtin import emoji
from tl_vs_scratch.tasks.scores import probabilities
from tl_vs_scratch.training import paths, trial
from tl_vs_scratch.training.recipes import Anytime, OneCycle, Phase, Settings, Strategy, parse_strategy
from tl_vs_scratch.training.trial import Training, put_away, take_up

SETTINGS = Settings(size=16, bs=8, augment=False, max_steps=200)


def new(entrant=parse_strategy('scratch:convnet', 'convnet')):
    return Training(emoji(), entrant, 40, 0, SETTINGS)


@pytest.fixture(scope='module')
def training():
    made = new()
    while made.steps < 113: made.advance()
    return made


def test_a_look_says_how_much_has_moved(training):
    "By hand: at step 113, against the last checkpoint at half the time, step 57"
    at = {checkpoint.step: checkpoint.outputs['valid'] for checkpoint in training.path}
    by_hand = np.abs(probabilities(at[113]) - probabilities(at[57])).sum(1).mean()/2
    assert [look.step for look in training.looks] == list(at) and 0 < by_hand < 1
    assert training.looks[-1].moved == pytest.approx(by_hand, abs=1e-6)
    assert training.looks[0].moved == 1 # nothing to compare it with


def test_the_looks_are_put_away(training, tmp_path):
    put_away(training, tmp_path/'unfinished.safetensors')
    again = new()
    assert take_up(again, tmp_path/'unfinished.safetensors')
    assert [(look.step, look.moved) for look in again.looks] == [(look.step, look.moved) for look in training.looks]
    for one, other in zip(again.looks, training.looks): np.testing.assert_array_equal(one.losses, other.losses)


TWO = Strategy('two', 'random', (Phase(train='all', steps=20), Phase(train='all', steps=40)))


def two_parts(): return new(parse_strategy(TWO, 'convnet'))


def test_the_last_checkpoint_knows_when_the_last_part_began(tmp_path):
    "Also where the training was put away on the way: of one that is done one can say where it was going"
    file, through, piece = tmp_path/'unfinished.safetensors', two_parts(), two_parts()
    while not through.is_done: through.advance()
    while piece.advance(stop=lambda _: True).step < 60:
        put_away(piece, file)
        piece = two_parts()
        assert take_up(piece, file)
    for one in (through, piece): assert [(at.step, at.before) for at in one.path] == [(20, 20), (28, 20), (40, 20), (57, 20), (60, 20)]


def test_a_training_is_kept_between_two_checkpoints(tmp_path, monkeypatch):
    "They lie ever further apart. Interrupted in a stretch, it goes on at the one before, and ends as if nothing had been"
    through, ends, stretch = trial.train(two_parts()), [], Training.train
    monkeypatch.setattr(trial, 'KEEP_EVERY', 0)
    def once(self, steps):
        if len(ends) == 5: raise KeyboardInterrupt
        stretch(self, steps)
        ends.append(self.steps)
    monkeypatch.setattr(Training, 'train', once)
    with pytest.raises(KeyboardInterrupt): trial.train(two_parts(), tmp_path)
    assert ends == [16, 20, 28, 40, 56]
    monkeypatch.setattr(Training, 'train', lambda self, steps: ends.append(self.steps) or stretch(self, steps))
    piece = trial.train(two_parts(), tmp_path)
    assert ends[5] == 56
    for one, other in zip(through.path, piece.path, strict=True):
        assert (one.step, one.flops, one.train_loss) == (other.step, other.flops, other.train_loss)
        for part in ('valid', 'test'): np.testing.assert_array_equal(one.outputs[part], other.outputs[part])


def test_a_rate_that_has_ended_is_not_trained_again(tmp_path, monkeypatch):
    "While the others go on, slice after slice: its path and its outputs are those that it ended with"
    def at_a_rate(): return Training(emoji(), parse_strategy(TWO, 'convnet'), 40, 0, replace(SETTINGS, tune=2), 1.)
    ended = trial.train(at_a_rate(), tmp_path)
    monkeypatch.setattr(Training, 'train', None)
    again = trial.train(at_a_rate(), tmp_path)
    assert again.is_done
    for one, other in zip(ended.path, again.path, strict=True):
        assert (one.step, one.flops, one.train_loss, one.before) == (other.step, other.flops, other.train_loss, other.before)
        for part in ('valid', 'test'): np.testing.assert_array_equal(one.outputs[part], other.outputs[part])


def test_a_training_that_an_older_version_has_put_away_goes_on(tmp_path, monkeypatch):
    file, before, after = tmp_path/'unfinished.safetensors', two_parts(), two_parts()
    while before.steps < 40: before.advance()
    facts = trial.facts_of(before)
    del facts['part_began']
    monkeypatch.setattr(trial, 'facts_of', lambda training: facts)
    put_away(before, file)
    assert take_up(after, file) and after.before == before.before == 20


@pytest.mark.parametrize('until, moved, steps', [(160, .05, 640), (160, .3, 1280), (9999, .05, None), (9999, .01, 160)])
def test_answers_decide_when_it_is_over(until, moved, steps):
    "A loss that stays from a step on: three looks at rest, and longer where the answers move on. One that falls: never, but where nothing moves"
    looks = [paths.Look(step, np.full(8, 1e3/min(step, until)), 1. if step < 57 else moved) for step in paths_of(2000)]
    assert next((look.step for k, look in enumerate(looks) if paths.is_flat(looks[:k + 1])), None) == steps


def paths_of(most):
    at = 0
    while (at := paths.next_checkpoint(at)) <= most: yield at


def test_a_loss_that_stays_high_for_a_while_is_not_level():
    "Looks of a real training (signs, fine-tuned on 100 labels): after 226 steps a line lay level, and the accuracy rose from 61% to 82%"
    steps, part = (57, 80, 113, 160, 226, 320, 453, 640, 905, 1280, 1810), 40
    losses = 1.776, 1.511, 1.851, 1.840, 1.817, 1.737, 1.280, 1.269, 1.345, 1.291, 1.390
    shares = 1, .564, .664, .440, .438, .334, .402, .423, .350, .306, .299
    looks = [paths.Look(step - part, np.full(20, loss), moved) for step, loss, moved in zip(steps, losses, shares)]
    assert paths.slope(looks[:5]) > 0 # which is why
    assert not any(paths.is_flat(looks[:k]) for k in range(1, len(looks) + 1))


def test_a_cycle_that_was_cut_short_is_not_taken_for_a_whole_one(tmp_path):
    "Of one rate that rises and falls the first 20 steps are no beginning of 40; of any other schedule they are"
    def ran(schedule, most):
        cycle = Strategy('cycle', 'random', (Phase(train='all', steps=40, schedule=schedule),))
        return compare(emoji(), sizes=[40], seeds=1, strategies=[cycle], body='convnet', size=16, bs=8, max_steps=most, preset='exhaustive', jobs=1,
                       out=tmp_path/type(schedule).__name__, progress=False).results.set_index('status').steps.to_dict()
    assert [ran(OneCycle(), most) for most in (20, 40)] == [dict(done=20), dict(done=40)]
    assert [ran(Anytime(), most) for most in (20, 40)] == [dict(learning=20), dict(done=40)]
