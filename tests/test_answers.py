"From a study whose truth is known to sentences: what is advised, what is never claimed, for every score and medium"

import json
import re

import numpy as np
import pytest
import tl_vs_scratch as tlvs
from fake_study import FakeStudy, fake_task, texts
from tl_vs_scratch.answers.captions import captions, curve_alt
from tl_vs_scratch.answers.curves import difference, paired_table, score_table
from tl_vs_scratch.answers.explore import explorers_of
from tl_vs_scratch.answers.facts import facts, limits, overview, settings_words
from tl_vs_scratch.answers.intervals import paired_difference, prior_of, score_interval, spread_of
from tl_vs_scratch.answers.phrases import phrases
from tl_vs_scratch.answers.summary import summarise
from tl_vs_scratch.studies.study import Study
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
    tables = {key: np.stack(list(by_seed.values())) for key, by_seed in values.items()}
    classes = study.task.labels[study.task.test_idxs] if score == 'balanced_accuracy' else None
    spreads = {key: spread_of(o, classes) for key, o in tables.items()}
    for row in table.itertuples():
        prior = prior_of([spread for key, spread in spreads.items() if key != (row.strategy, row.n)])
        mean, (low, high) = score_interval(tables[row.strategy, row.n], prior, study.score.is_share, classes)
        assert (row.score, row.low, row.high, row.seeds) == (mean, low, high, 3)
        done = study.results.query('strategy == @row.strategy and n == @row.n')
        assert row.score == pytest.approx(done.test_score.mean()) and row.gap == pytest.approx(done.overfitting_gap.mean())
    gains = study.score.gains
    for row in paired_table(study).itertuples():
        a, b = (gains(np.stack(list(values[s, row.n].values()))) for s in (row.a, row.b))
        mean, (low, high) = paired_difference(a, b, share=study.score.is_share) # this pair alone
        assert row.difference == pytest.approx(mean) and row.wide_low < row.low < row.difference < row.high < row.wide_high
        assert max(row.low, low) < min(row.high, high)


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
    cross = summary.crossover
    assert cross['status'] == 'crossed' and 50 <= cross['low'] < cross['mid'] < cross['high'] <= 500


def test_a_difference_is_worth_its_price_and_none_is_not():
    assert summarise(FakeStudy({('linear_probe', 50): .6, ('fine_tune', 50): .9})).advice.strategy == 'fine_tune'
    alike = FakeStudy({('scratch', 50): .3, ('linear_probe', 50): .7, ('fine_tune', 50): .7})
    summary = summarise(alike, margin=.04) # as near as three seeds of 120 examples can tell
    assert summary.advice.strategy == 'linear_probe' and any('linear_probe is probably within ' in w for w in summary.words)


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
    grid = CROSSING | {('plain_svm', 500): .85}
    study = FakeStudy(grid, failed=[('fine_tune', 50, 0)], missing=[('scratch', 500, 1), ('scratch', 500, 2)])
    kinds = {f.kind: f for f in summarise(study).cautions}
    assert list(kinds) == ['below_rival', 'failed', 'missing'] and kinds['missing'].numbers == dict(count=2, of=21)
    assert any('worse than a plain model' in w for w in summarise(study).words)
    assert summarise(FakeStudy(CROSSING)).cautions == ()


def test_a_loss_is_not_a_share():
    words = ' '.join(summarise(FakeStudy(CROSSING, score='log_loss')).words)
    assert 'nats' in words and 'names' not in words and '%' not in words.replace('95%', '')


@scores
def test_who_is_still_learning_has_not_lost(score):
    "However far behind: no verdict, no 'take' without a word on it, and what twice the time would bring"
    study = FakeStudy(CROSSING, score=score, learning=['scratch', 'fine_tune'])
    summary = summarise(study)
    assert not any(re.search('ahead|Take|behind|less accurate', w) for w in summary.words if 'equal' not in w)
    assert summary.words[0].startswith('So far') and sum('was stopped while it was still learning' in w for w in summary.words) == 2
    assert [v.status for v in summary.verdicts if v.kind == 'trained to the end'] == ['not_decided']
    done = summarise(FakeStudy(CROSSING, score=score))
    assert any('ahead' in w for w in done.words) and not done.forecasts and done.words[0].startswith('Take')


def test_each_size_is_judged_by_its_own_trainings():
    "Scratch was stopped early with few labels only: of these nothing is said, and all the rest stands; then with many labels only"
    truth = {(label, n): score for n, scores in ((20, (.3, .7)), (60, (.4, .75)), (200, (.9, .78)), (600, (.97, .8))) for label, score in zip(('scratch', 'fine_tune'), scores)}
    done = summarise(FakeStudy(truth, task=fake_task(n_test=400)))
    assert done.crossover['status'] == 'crossed' and [f.kind for f in done.compared[0][1]] == ['ahead', 'behind']
    few = summarise(FakeStudy(truth, learning=[('scratch', 20)], task=fake_task(n_test=400)))
    assert [f.kind for f in few.compared[0][1]] == ['not_decided', 'behind'] and few.crossover['status'] == 'crossed'
    assert '20 labels: between fine_tune and scratch nothing is decided' in ' '.join(few.words) and 'more of 100 right than fine-tuning' in few.glance()
    many = summarise(FakeStudy(truth, learning=[('scratch', 600), ('scratch', 200)], task=fake_task(n_test=400)))
    assert [f.kind for f in many.compared[0][1]] == ['ahead', 'not_decided'] and many.crossover['status'] != 'crossed' and 'passes' not in many.glance()
    none = ' '.join(summarise(FakeStudy(truth, learning=['scratch'])).words)
    assert 'Where scratch would pass the pretrained network is not decided: scratch is still learning.' in none


@scores
def test_the_verdicts_are_no_surer_than_the_table(score):
    "Trained to the end is what the table of pairs has: the same difference, and the interval that allows for all comparisons"
    summary = summarise(FakeStudy(CROSSING, score=score))
    end = next(v for v in summary.verdicts if v.kind == 'trained to the end')
    row = next(difference(summary.pairs[summary.pairs.n == 500], end.a, end.b).itertuples())
    assert (end.difference, end.low, end.high) == pytest.approx((row.difference, row.wide_low, row.wide_high))


def test_a_rival_speaks_for_no_start():
    summary = summarise(FakeStudy(CROSSING | {('plain_svm', 50): .97, ('plain_svm', 500): .97}))
    assert 'plain_svm' not in (summary.crossover['pretrained'], summary.crossover['scratch']) and summary.advice.strategy == 'plain_svm'


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
    assert content == summary.to_json() and (content['schema'], content['score']) == (3, score)
    assert set(content) == set('schema task n_classes labels_available score strategies paired crossover verdicts forecasts advice study versions'.split())
    assert set(content['advice']) == {'strategy', 'shortfall', 'reasons', 'alternatives', 'next'} and len(content['verdicts']) == 4
    first = content['strategies']['scratch'][0]
    assert ('accuracy_mean' in first) == (score == 'accuracy') and first['n'] == 50 and first['score_ci95'][0] < first['score_mean'] < first['score_ci95'][1]
    assert content['advice']['reasons'] and all(isinstance(w, str) for w in content['advice']['reasons'])


# --- the first ten seconds ---

@scores
def test_the_first_screen_is_plain(score):
    "No name of ours, no TFLOP, the best first and the one to take marked"
    summary = summarise(FakeStudy(CROSSING, score=score))
    screen = summary.glance('tl-vs-scratch compare fake')
    assert not re.search('[a-z]_[a-z]|TFLOP|labels? minus', screen) and screen.startswith('Take: training from scratch, ')
    rows = [line for line in screen.splitlines() if re.match('[> ] (training|fine|a linear)', line)]
    assert [row[:2] for row in rows] == ['> ', '  ', '  '] and 'fine-tuning' in rows[1]
    assert 'tl-vs-scratch train runs/fake' in screen and '--budget' not in screen


def test_the_first_screen_claims_nothing_of_what_still_learns():
    screen = summarise(FakeStudy(CROSSING, learning=('scratch',))).glance('tl-vs-scratch compare fake')
    assert screen.startswith('Best so far: ') and 'It is still learning' in screen
    assert 'Not decided, training from scratch is still learning' in screen and ' than ' not in screen.split('What next?')[0]
    assert 'tl-vs-scratch compare fake --budget 10m' in screen
    for budget, more in [(480., '10m'), (600., '20m'), (1500., '50m'), ('2000FLOP', '10m')]: # a budget is the study's: the same once more brings nothing
        longer = FakeStudy(CROSSING, learning=('scratch',))
        longer.recipe = lambda: dict(budget=budget)
        assert f'--budget {more}\n' in summarise(longer).glance('tl-vs-scratch compare fake') and f"budget='{more}'" in summarise(longer).glance()
    done = summarise(FakeStudy(CROSSING)).glance()
    assert 'more of 100 right than a linear probe' in done and '--budget' not in done


def test_nobody_may_get_more_than_all_of_them_right():
    "Two that still learn are nearly perfect: there is little room above them, whatever they may still gain"
    truth = {('fine_tune', 50): .99, ('scratch', 50): .985, ('linear_probe', 50): .7, ('plain_svm', 50): .6}
    summary = summarise(FakeStudy(truth, learning=('fine_tune', 'scratch'), task=fake_task(n_test=500)))
    score, lost = summary.table.set_index('strategy').score[summary.advice.strategy], summary.advice.shortfall
    assert summary.advice.undecided and lost > .005 and score + lost < 1.005, (score, lost)


def test_the_first_screen_names_what_failed():
    assert '2 trials failed' in summarise(FakeStudy(CROSSING, failed=[('scratch', 50, 0), ('fine_tune', 500, 1)])).glance()


def test_the_first_screen_of_texts_knows_no_pictures():
    screen = summarise(FakeStudy(CROSSING, task=fake_task(medium=texts()))).glance()
    assert 'new texts right' in screen and not re.search('pictur|pixel|image', screen.split('left out')[0])


def test_a_summary_shows_itself():
    summary = summarise(FakeStudy(CROSSING, score='log_loss'))
    assert 'log loss' in summary.shown() and str(summary) == repr(summary) and 'Take scratch.' in summary.details()
    assert str(summary).startswith('Take: training from scratch, log loss of about') and '> training from scratch' in str(summary)
    assert summary._repr_html_().startswith('<p><strong>Take: training from scratch') and len(summary.shown()) == 6
    with pytest.raises(AttributeError): summary.task = 'other'


def test_a_model_that_was_not_finished_is_trained_for_a_time():
    "Nobody knows how long it takes, so the command says how long it may"
    truth = {('fine_tune', 50): .9, ('linear_probe', 50): .5}
    for learning, said in [((), 'train runs/fake\n'), (('fine_tune',), 'train runs/fake --budget 10m')]:
        text = str(summarise(FakeStudy(truth, learning=learning)).glance())
        assert said.strip('\n') in text and ('--budget 10m' in text.split('Keep a model')[1].split('\n')[1]) == bool(learning), text


def test_the_model_to_keep_is_a_network():
    "A plain model may be the answer; what is kept is said to be another one"
    for best, said in [('plain_svm', 'Keep a model (the best network, fine-tuning, on all labels'), ('fine_tune', 'Keep a model (fine-tuning, on')]:
        truth = {('plain_svm', 50): .7, ('fine_tune', 50): .6, ('linear_probe', 50): .5} | {(best, 50): .9}
        assert said in str(summarise(FakeStudy(truth)).glance())


def test_a_stored_study_has_a_tab_for_each_explorer(): # not in its notebook: each widget made there is on its page
    assert tlvs.explore('emoji').titles == ('Who leads when', 'Freezing')
    assert not hasattr(tlvs.explore('digits'), 'titles') # one alone needs no tab


def test_a_feature_map_needs_the_examples_and_no_trial(tmp_path): # as above
    empty = Study(tlvs.digits(), ['plain_svm'], [40], 1, settings=Settings(size=24), out=tmp_path)
    assert list(explorers_of(empty)) == ['Feature map']
    empty.run(jobs=1, progress=False, margin=.05)
    assert tlvs.Results(tmp_path).margin == empty.margin == tlvs.Results(tmp_path).recipe()['margin'] == .05 # and `train` and `report` go by it
    assert list(explorers_of(empty)) == ['Who leads when', 'Feature map'] and list(explorers_of(tlvs.Results(tmp_path))) == ['Who leads when']
