"From a study whose truth is known to sentences: what is advised, what is never claimed, for every score and medium"

import json
import re

import numpy as np
import pytest
from fake_study import FakeStudy, fake_task, texts
from tl_vs_scratch.answers.curves import difference, paired_table, score_table
from tl_vs_scratch.answers.intervals import paired_difference, score_interval
from tl_vs_scratch.answers.summary import summarise
from tl_vs_scratch.answers.words import captions, curve_alt, facts, limits, overview, phrases, settings_words
from tl_vs_scratch.tasks.scores import SCORES
from tl_vs_scratch.training.recipes import Settings

CROSSING = {('scratch', 50): .35, ('linear_probe', 50): .7, ('fine_tune', 50): .75, ('scratch', 500): .97, ('linear_probe', 500): .75, ('fine_tune', 500): .8}
scores = pytest.mark.parametrize('score', SCORES)


def prose(study):
    "Everything that is said about a study"
    summary = summarise(study)
    return [*summary.words, overview(study), *limits(study, summary), *(str(o) for o in facts(study)), str(captions(study, summary.table)),
            curve_alt(summary.table, study.score)]


# --- tables ---

@scores
def test_tables_are_means_of_values_per_example(score):
    study = FakeStudy(CROSSING, score=score)
    values, table = study.values(), score_table(study)
    for row in table.itertuples():
        mean, (low, high) = score_interval(np.stack(list(values[row.strategy, row.n].values())))
        assert (row.score, row.low, row.high, row.seeds) == (mean, low, high, 3)
        done = study.results.query('strategy == @row.strategy and n == @row.n')
        assert row.score == pytest.approx(done.test_score.mean()) and row.gap == pytest.approx(done.overfitting_gap.mean())
    gains = study.score.gains
    for row in paired_table(study).itertuples():
        a, b = (gains(np.stack(list(values[s, row.n].values()))) for s in (row.a, row.b))
        assert (row.difference, (row.low, row.high)) == paired_difference(a, b)


@scores
def test_above_0_means_that_the_first_is_better(score):
    pairs = paired_table(FakeStudy(CROSSING, score=score))
    d = difference(pairs, 'fine_tune', 'scratch')
    assert d.low[0] > 0 > d.high[1]


def test_pairs_take_the_seeds_that_both_have():
    study = FakeStudy(CROSSING, missing=[('scratch', 50, 0)], failed=[('fine_tune', 50, 2)])
    assert difference(paired_table(study), 'fine_tune', 'scratch').seeds.tolist() == [1, 3]


# --- the advice ---

@scores
def test_the_same_decision_by_every_score(score):
    summary = summarise(FakeStudy(CROSSING, score=score))
    assert summary.advice.strategy == 'scratch' and 'Take scratch.' in summary.words
    assert {k: summary.crossover[k] for k in ('status', 'low', 'high')} == dict(status='crossed', low=50, high=500)


def test_a_difference_is_worth_its_price_and_none_is_not():
    assert summarise(FakeStudy({('linear_probe', 50): .6, ('fine_tune', 50): .9})).advice.strategy == 'fine_tune'
    alike = summarise(FakeStudy({('scratch', 50): .3, ('linear_probe', 50): .7, ('fine_tune', 50): .7}))
    assert alike.advice.strategy == 'linear_probe' and any('can not be told apart by accuracy' in w for w in alike.words)


def test_nothing_is_chosen_by_test_examples():
    "Validation decides who stands for the pretrained; what is clearly beaten is never advised, however good on validation"
    study = FakeStudy({('scratch', 50): .4, ('linear_probe', 50): .5, ('fine_tune', 50): .9}, seconds=dict(scratch=1., linear_probe=2., fine_tune=9.))
    for t in study.trials(): t.row['valid_score'] = 1 - t.row['valid_score']
    summary = summarise(study)
    assert summary.advice.strategy == 'fine_tune' and summary.crossover['pretrained'] == 'linear_probe'


@scores
def test_one_seed_is_no_ground_for_a_claim(score):
    summary = summarise(FakeStudy({('scratch', 50): .2, ('fine_tune', 50): .95}, seeds=1, score=score))
    assert summary.advice.strategy is None and summary.to_json()['strategies']['scratch'][0]['score_ci95'] is None
    assert not any('ahead' in w or 'Take' in w for w in summary.words) and any('proves nothing' in w for w in summary.words)


@pytest.mark.parametrize('grid, failed, says', [
    ({}, (), 'No trial has finished'), ({('scratch', 50): .7}, (), 'the only strategy'),
    ({('scratch', 50): .7}, [('scratch', 50, k) for k in range(3)], '3 trials failed')])
def test_where_there_is_nothing_to_say(grid, failed, says):
    summary = summarise(FakeStudy(grid, failed=failed))
    assert summary.advice.strategy is None and any(says in w for w in summary.words)
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))['advice']['strategy'] is None


# --- cautions ---

def test_what_was_wrong_is_said():
    study = FakeStudy(CROSSING, share=.2, train=.5, failed=[('fine_tune', 50, 0)], missing=[('scratch', 500, 1), ('scratch', 500, 2)])
    kinds = {f.kind: f for f in summarise(study).cautions}
    assert list(kinds) == ['first_look', 'unfinished', 'failed', 'missing'] and kinds['missing'].numbers == dict(count=2, of=18)
    assert any('of its own training pictures' in w for w in summarise(study).words)
    assert summarise(FakeStudy(CROSSING)).cautions == ()


def test_a_loss_is_not_a_share():
    words = ' '.join(summarise(FakeStudy(CROSSING, score='log_loss', train=.3)).words)
    assert 'scratch has a log loss of' in words and 'names' not in words and '%' not in words.replace('95%', '')


# --- words ---

@scores
def test_words_are_those_of_the_score(score):
    text = ' '.join(prose(FakeStudy(CROSSING, score=score)))
    assert ('nats' in text) == (score == 'log_loss') == ('points' not in text) and SCORES[score].title in text
    if score != 'accuracy': assert 'less accurate' not in text and 'Test accuracy' not in text
    if score == 'log_loss': assert 'accuracy' not in text


@scores
def test_words_are_those_of_the_medium(score):
    "No sentence about texts says picture, and all say text where those about pictures say picture"
    task = fake_task(score=score)
    pictures = ' '.join(prose(FakeStudy(CROSSING, task=task, score=score)))
    task.medium, task.dropped = texts(), task.dropped[:0]
    words = ' '.join(prose(FakeStudy(CROSSING, task=task, score=score)))
    assert 'picture' in pictures and not re.search('pictur|pixel|image', words) and 'texts of 256 tokens' in words.lower()


@scores
def test_every_number_is_finite_and_no_sentence_is_said_twice(score):
    said = prose(FakeStudy(CROSSING, score=score))
    assert not any(re.search(r'\bnan\b|\binf\b|\{|\}', w) for w in said if not w.startswith(('{', '('))), said
    assert len(said) == len(set(said))


def test_settings_in_words():
    def words(**kw): return settings_words(FakeStudy(CROSSING, settings=Settings(**kw)))
    assert words().startswith('Pictures of 32 pixels a side, up to 32 a step, varied at random in training')
    assert 'Pictures of 64 pixels' in words(size=64) and 'not varied in training' in words(augment=False) and 'tried 3 learning rates' in words(tune=3)


def test_what_was_left_out_is_named(): assert '900.png, 901.png' in str(dict(facts(FakeStudy(CROSSING)))['Left out'])


def test_each_score_has_its_phrases():
    for score in SCORES.values(): assert phrases(score).smallest and phrases(score).mistakes


# --- summary.json ---

@scores
def test_summary_json(score, tmp_path):
    summary = summarise(FakeStudy(CROSSING, score=score))
    summary.save(tmp_path/'summary.json')
    content = json.loads((tmp_path/'summary.json').read_text())
    assert content == summary.to_json() and (content['schema'], content['score']) == (2, score)
    assert set(content) == set('schema task n_classes labels_available score strategies paired crossover advice versions'.split())
    first = content['strategies']['scratch'][0]
    assert ('accuracy_mean' in first) == (score == 'accuracy') and first['n'] == 50 and first['score_ci95'][0] < first['score_mean'] < first['score_ci95'][1]
    assert content['advice']['reasons'] and all(isinstance(w, str) for w in content['advice']['reasons'])


def test_a_summary_shows_itself():
    summary = summarise(FakeStudy(CROSSING, score='log_loss'))
    assert 'log loss' in summary.shown() and str(summary) == repr(summary) and 'Take scratch.' in str(summary)
    assert summary._repr_html_().startswith('<ul><li>') and len(summary.shown()) == 6
    with pytest.raises(AttributeError): summary.task = 'other'
