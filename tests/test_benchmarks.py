"The scripts behind the claims of speed run, and write what they say they write (how fast this is, is nobody's business here)"

import json
import platform
import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import paint_folder
from tl_vs_scratch.studies.plan import PRESETS
from tl_vs_scratch.training.recipes import Settings


@pytest.fixture(scope='module')
def photos(tmp_path_factory): return paint_folder(tmp_path_factory.mktemp('bench')/'photos', each=60, size=32)


def run(name, monkeypatch, tmp_path, *words):
    monkeypatch.setattr(sys, 'argv', [name, *map(str, words), '--size', '32', '--json', str(tmp_path/'out.json')])
    import_module(f'benchmarks.{name}').main()
    return json.loads((tmp_path/'out.json').read_text())


def test_throughput(photos, monkeypatch, tmp_path):
    found = run('throughput', monkeypatch, tmp_path, photos, '--rounds', 1)
    assert found['throughput_ratio_decoded'] > 0 and found['throughput_ratio_jpeg'] > 0 and found['machine']['cores'] >= 1


def test_frozen(photos, monkeypatch, tmp_path):
    found = run('frozen', monkeypatch, tmp_path, photos, '--epochs', 2, '--timed', 1, '--peers', 'tuned')
    assert found['speedup_vs_tuned_fastai'] == pytest.approx(found['seconds_tuned']/found['seconds_ours']) and len(found['epoch_seconds_tuned']) == 1


def test_accuracy(photos, monkeypatch, tmp_path):
    found = run('accuracy', monkeypatch, tmp_path, photos, '--epochs', 1, '--seeds', 2, '--peers', 'fastai,tuned')
    assert len(found['accuracies_fastai']) == len(found['accuracies_tuned']) == len(found['accuracies_ours']) == 2
    assert found['accuracy_difference_ci95_tuned'][0] <= found['accuracy_difference_tuned'] <= found['accuracy_difference_ci95_tuned'][1]


def test_fine_tune(photos, monkeypatch, tmp_path):
    found = run('fine_tune', monkeypatch, tmp_path, photos, '--timed', 1, '--seeds', 1, '--budget', 0)
    assert found['speedup_vs_fastai'] == pytest.approx(found['seconds_fastai']/found['seconds_ours_by_share']['all'])
    assert len(found['ours']['sixth']) == 2 and len(found['tuned_fastai']) == len(found['tuned_fastai_sixth']) == 10
    seconds = next((seconds for seconds, accuracy in found['tuned_fastai'] if accuracy >= found['accuracy_fastai']), None)
    assert found['speedup_vs_tuned_fastai'] == (seconds and pytest.approx(seconds/found['seconds_ours_by_share']['sixth']))


def test_parts(photos, monkeypatch, tmp_path):
    found = run('parts', monkeypatch, tmp_path, photos, '--rounds', 1, '--epochs', 1)
    for seconds in (found['seconds'], found['seconds_sixth']): assert len(seconds) == 5 and all(s > 0 for s in seconds.values())


def test_stages(photos, monkeypatch, tmp_path):
    found = run('stages', monkeypatch, tmp_path, photos, '--seeds', 3, '--labels', '12,20,9999')
    assert [row['n'] for row in found['rows']] == [12, 20] and all(row['size'] == 32 for row in found['rows'])
    for row in found['rows']:
        for name, other in (('over_last', 'last'), ('over_plain', 'plain')):
            assert row[name]['mean'] == pytest.approx(row['scores']['all'] - row['scores'][other]) and row[name]['ci95'][0] <= row[name]['mean'] <= row[name]['ci95'][1]


def test_study(photos, monkeypatch, tmp_path):
    monkeypatch.setitem(PRESETS['standard'], 'settings', Settings(bs=8))
    monkeypatch.setattr(import_module('benchmarks.study'), 'usual_length', lambda start, batches: 20)
    found = run('study', monkeypatch, tmp_path, photos, '--strategies', 'scratch,linear_probe')
    scratch, probe = found['strategies']
    assert scratch['seconds_first'] == scratch['seconds_further'] and found['study_speedup_frozen'] == pytest.approx(probe['speedup'])


def test_precision(photos, monkeypatch, tmp_path):
    found = run('precision', monkeypatch, tmp_path, photos, '--seeds', 2, '--rounds', 1)
    assert 0 < found['moved'] < .2 and all(o['difference_ci95'][0] <= o['difference'] <= o['difference_ci95'][1] for o in found['probes'])


def test_training(photos, monkeypatch, tmp_path):
    found = run('training', monkeypatch, tmp_path, photos, '--strategies', 'scratch', '--seeds', 2, '--steps', 20)
    row, = found['strategies']
    assert row['difference'] == pytest.approx(row['accuracy_bfloat16'] - row['accuracy_float32']) and row['speedup'] > 0


def test_steps():
    steps = import_module('benchmarks.steps')
    seconds = steps.measure('tf_efficientnet_lite0', 'float32', 32, 1, 1)
    assert set(seconds) == {'study', 'bfloat16', 'channels first', 'Adam', 'gradient'} and all(o[0] > 0 for o in seconds.values())


def test_crews(monkeypatch, tmp_path):
    from benchmarks import crews
    monkeypatch.setattr(crews, 'LOOPS', 1000)
    monkeypatch.setattr(sys, 'argv', ['crews', '--rounds', '1', '--calls', '4', '--backends', 'loky', '--json', str(tmp_path/'out.json')])
    crews.main()
    row, = json.loads((tmp_path/'out.json').read_text())['rows']
    assert row['backend'] == 'loky' and min(row[key] for key in ('start_seconds', 'call_milliseconds', 'two_against_one')) > 0


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads its memory from /proc')
def test_load(monkeypatch):
    load = import_module('benchmarks.load')
    monkeypatch.setattr(load.engine, 'run_trial', load.engine.run_trial) # the stub goes when the test ends
    study, pictures, table = load.study_part(300, 1), load.pictures_part(100, 8), load.table_part(8000)
    assert study['trials'] == 300 and study['advised'] and study['database_mb'] > 1
    assert (pictures['examples'], table['examples'], table['left_out']) == (100, 8000, 0)
    large = load.classes_part(3000, 2) # on the way 2,097 of the 3,000 are looked at, ten times, in two trials
    ends = 2*(3000 + 4000)*4000/1e6 # what two trials say in the end, in MB: to the test examples and to those that they know
    assert ends + 2*10*(2097 + 800)*4000/1e6 < large['database_mb'] < ends + 2*10*(3000 + 800)*4000/1e6


JUNIT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.test_killed" name="test_killed_at_random[0.84]" time="1"/>
<testcase classname="tests.test_killed" name="test_killed_at_random[0.76]"><failure message="assert 2 == 3&#10;where 2">long</failure></testcase>
<testcase classname="tests.test_killed" name="test_a_full_disk"><skipped type="pytest.skip" message="no disk here">where</skipped></testcase>
<testcase classname="tests.test_killed" name="test_a_clock"><error message="no fixture">long</error></testcase>
<testcase classname="tests.test_killed" name="test_killed_with_workers"/>
</testsuite></testsuites>"""


def test_trust_counts_cases(tmp_path):
    "From what pytest and Hypothesis write"
    from benchmarks import trust
    (tmp_path/'junit.xml').write_text(JUNIT)
    found = trust.counted(tmp_path/'junit.xml')
    assert (found['cases'], found['passed'], found['kills'], found['skipped']) == (5, 2, 2, {'no disk here': 1})
    assert found['failed'] == {'tests.test_killed.test_killed_at_random[0.76]': 'assert 2 == 3', 'tests.test_killed.test_a_clock': 'no fixture'}
    (tmp_path/'observed').mkdir()
    (tmp_path/'observed/day_testcases.jsonl').write_text(''.join(json.dumps(dict(status=o)) + '\n' for o in ('passed', 'gave_up', 'failed')))
    assert trust.examples_in(tmp_path) == 2
    run = found | dict(tests='killed', examples=2, seconds=1., seconds_cpu=.5)
    both = trust.together([run, run | dict(failed={'other': 'why'}, passed=3)])
    assert (both['cases'], both['passed'], len(both['failed']), both['skipped'], both['examples']) == (10, 5, 3, {'no disk here': 2}, 4)


def test_trust_runs_pytest_and_keeps_what_there_was(monkeypatch, tmp_path):
    from benchmarks import trust
    out = tmp_path/'out.json'
    out.write_text(json.dumps(dict(benchmark='trust', points=dict(killed='before'), matrix={})))
    monkeypatch.setitem(trust.POINTS, 'types', (['types', '-k', 'is_shipped'],))
    monkeypatch.setattr(sys, 'argv', ['trust', '--only', 'types', '--json', str(out)])
    trust.main()
    found = json.loads(out.read_text())
    assert found['points']['killed'] == 'before' and found['crews']['benchmark'] == 'crews'
    point = found['points']['types']
    assert (point['cases'], point['passed'], point['failed']) == (1, 1, {}) and point['versions']['python'] == platform.python_version()


def test_the_page_of_trust_shows_its_figures():
    "Run the page again after the benchmark"
    root = Path(__file__).resolve().parent.parent
    figures = json.loads((root/'benchmarks/results/trust.json').read_text())
    outputs = {cell['id']: cell.get('outputs') for cell in json.loads((root/'nbs/trust.ipynb').read_text())['cells']}
    for cell, expected in [('trust-table', figures['points']), ('trust-matrix-table', figures['matrix'])]:
        shown = re.findall(r'<td[^>]*>(.*?)</td>', ''.join(outputs[cell][0]['data']['text/html']))
        numbers = [(found['cases'], len(found['failed']), sum(found['skipped'].values())) for found in expected.values()]
        width = len(shown)//len(numbers)
        assert sorted(numbers) == sorted(tuple(map(int, shown[k + width - 3:k + width])) for k in range(0, len(shown), width))
    killed = ''.join(outputs['trust-killed-counts'][0]['data']['text/markdown'])
    assert f"**{figures['points']['killed']['kills']}**" in killed
    assert figures['crews'] == json.loads((root/'benchmarks/results/crews.json').read_text()), 'benchmarks.crews ran again: python -m benchmarks.trust --only types takes its figures'
    assert figures['load'] == json.loads((root/'benchmarks/results/load.json').read_text()), 'benchmarks.load ran again: python -m benchmarks.trust --only types takes its figures'

def test_findings_decide_by_the_interval():
    from benchmarks.findings import judged, row
    assert [judged(1, 2, 0), judged(-2, -1, 0), judged(-1, 1, 0)] == ['agrees', 'does not agree', 'cannot tell']
    assert [judged(-1, 1, 2, below=True), judged(3, 4, 2, below=True), judged(1, 3, 2, below=True)] == ['agrees', 'does not agree', 'cannot tell']
    assert row('name', 'claim', 'theirs', (1., None), 0)['verdict'] == 'cannot tell' # fewer than three seeds
    assert row('name', 'claim', 'theirs', (1., [.5, 1.5]), 2)['verdict'] == 'does not agree'


def test_findings_count_the_steps_to_nine_tenths_of_the_best_odds():
    from benchmarks.findings import steps_to, times_sooner
    def path(*shares): return np.array([np.arange(100) < 100*share for share in shares], float)
    looks = [4, 8, 16]
    assert steps_to(path(.5, .9, .9), looks) == 8
    assert steps_to(path(.5, .89, .9), looks) == 16 # nine tenths of odds of 9 to 1 are 8.1; .89 are 8.09
    assert steps_to(path(.5, .9, .8), looks) == 8 # the best on the way, not the last
    mean, (low, high) = times_sooner([path(.9, .9, .9)]*3, [path(.5, .6, .9)]*3, looks)
    assert mean == pytest.approx(4) and low < mean < high


def test_findings_are_kept_one_by_one(monkeypatch, tmp_path):
    findings = import_module('benchmarks.findings')
    def measure(seeds, size): return [findings.row('a', 'claim', 'theirs', findings.points(*np.ones((2, seeds, 5))), 0)]
    def broken(seeds, size): raise KeyboardInterrupt
    monkeypatch.setattr(findings, 'FINDINGS', dict(a=(measure, 'A', 2019, 'title', 'url'), b=(broken, 'B', 2020, 'title', 'url')))
    with pytest.raises(KeyboardInterrupt): run('findings', monkeypatch, tmp_path)
    out = json.loads((tmp_path/'out.json').read_text())
    assert list(out['findings']) == ['a'] and out['findings']['a']['rows'][0]['verdict'] == 'cannot tell'
    monkeypatch.setattr(findings, 'FINDINGS', {name: (measure, *rest) for name, (_, *rest) in findings.FINDINGS.items()})
    monkeypatch.setattr(findings, 'measured', lambda name, *args: dict(name=name))
    assert run('findings', monkeypatch, tmp_path)['findings'] == out['findings'] | dict(b=dict(name='b')) # a is not measured again


def test_findings_train_what_they_say(monkeypatch):
    from benchmarks import findings
    monkeypatch.setattr(findings, 'LENGTHS', {findings.FEW: 2, findings.MANY: 2})
    data, net = findings.pictures('digits', 32), findings.network('random', 10, 0, 32)
    before = {name: o.clone() for name, o in net.state_dict().items()}
    findings.fit(net, data.x[:40], data.labels[:40], 2, parts=findings.parts_of(net, 'first'))
    moved = {name.split('.')[1] for name, o in net.state_dict().items() if not o.equal(before[name])}
    assert moved == set(net.stage_names[:3])
    half = findings.averaged(net, findings.network('random', 10, 1, 32))
    assert half.head.weight.equal(torch.lerp(net.head.weight, findings.network('random', 10, 1, 32).head.weight, .5))


@pytest.fixture
def anytime(monkeypatch):
    found = import_module('benchmarks.anytime')
    for name, value in dict(PAIRS=[('digits', 'scratch:convnet', 60)], SEEDS=1, FACTORS=(1.,), LENGTHS=(28, 40)).items(): monkeypatch.setattr(found, name, value)
    return found


def test_anytime_trains_every_way_and_its_average_is_the_library_s(anytime, monkeypatch, tmp_path):
    from tl_vs_scratch.fast.switch import faster
    from tl_vs_scratch.tasks.builtin import digits
    from tl_vs_scratch.training.trial import run_trial
    monkeypatch.setattr(sys, 'argv', ['anytime', str(tmp_path), '--jobs', '1', '--json', str(tmp_path/'out.json')])
    anytime.main()
    found, rows = json.loads((tmp_path/'out.json').read_text()), json.loads((tmp_path/'digits-scratch_convnet-60-0.json').read_text())
    assert {(row['way'], row['steps']) for row in rows} == {(way, steps) for way in anytime.WAYS for steps in (28, 40)} and len(rows) == 10
    assert [row['pairs'] for row in found['against_average']] == [1]*8 and len(found['means']) == 10
    with faster(): trial = run_trial(digits(), 'scratch:convnet', 60, settings=Settings(size=32, max_steps=40))
    right = (trial.path[-1].outputs['test'].argmax(1) == digits().labels[digits().test_idxs]).mean()
    assert next(row['accuracy'] for row in rows if (row['way'], row['steps']) == ('average', 40)) == pytest.approx(100*right)


def test_anytime_looks_do_not_change_a_schedule_free_training(anytime):
    from dataclasses import replace
    from tl_vs_scratch.tasks.builtin import digits
    from tl_vs_scratch.training.recipes import parse_strategy
    entrant = parse_strategy('scratch:convnet', 'efficientnet_lite0')
    kind, strategy = next((kind, strategy) for way, kind, strategy, _ in anytime.ways(entrant.strategy, 0) if way == 'schedule_free')
    def weights(looks):
        training = kind(digits(), replace(entrant, strategy=strategy), 60, 0, Settings(size=32, max_steps=40, precision='float32'))
        if not looks: training.look = lambda: None
        for goal in (20, 28, 40):
            if looks: training.advance()
            while training.steps < goal: training.stretch(goal)
        return torch.cat([p.detach().flatten() for p in training.learn.model.parameters()])
    assert (weights(True) - weights(False)).abs().max() < 1e-4


def test_anytime_takes_the_rate_that_validation_prefers(anytime):
    import pandas as pd
    rows = [dict(task='t', strategy='s', way=way, steps=28, seed=seed, factor=factor, loss=loss, accuracy=accuracy)
            for way, factor, loss, accuracy in [('average', 1., .5, 60.), ('average', 3., .4, 50.), ('one_cycle', 1., .3, 55.), ('one_cycle', 3., .9, 70.)]
            for seed in (0, 1)]
    rows.append(rows[-1] | dict(factor=9., loss=.1)) # a rate that failed with one seed
    best = anytime.at_the_best_rate(pd.DataFrame(rows))
    assert set(zip(best.way, best.factor)) == {('average', 3.), ('one_cycle', 1.)}
    for way in set(anytime.WAYS) - set(best.way): best = pd.concat([best, best[best.way == 'average'].assign(way=way)])
    assert {row['way']: row['mean'] for row in anytime.compared(best)} == dict(newest=0, schedule_free=0, cool_down=0, one_cycle=5)


def test_small_studies_that_are_drawn_from_many_trainings():
    resampled, rng = import_module('benchmarks.resampled'), np.random.default_rng(0)
    people = rng.random((3, 12, 400)) < np.array([.6, .7, .8])[:, None, None]
    table = resampled.drawn(rng, people.astype(float), 50)
    assert table.shape == (3, 3, 50) and set(np.unique(table)) == {0., 1.}
    found = resampled.coverage(rng, people.astype(float), 40, 100)
    assert found['single'] > .85 and found['pairs'] > .85 and 5 < found['pair_width_points'] < 40
    assert resampled.entered_twice(rng, people.astype(float), 20, 100)['false_ahead'] < .2
    shifted = people.astype(float)
    shifted[:, ::2] *= rng.random((3, 6, 1)) < .5 # some seeds fail as a whole: the intervals have to see it
    assert resampled.coverage(rng, shifted, 20, 100)['pair_width_points'] > found['pair_width_points']


def test_situations_are_what_they_say():
    made = import_module('benchmarks.situations')
    for found in made.SITUATIONS:
        task = found.task(None)
        assert (task is None) == found.folder
        if task is None: continue
        assert task.name == found.name and len(task.dropped) == 0
        for n in found.sizes: task.check_size(n)
    away = made.drawn_by_others()
    assert all(isinstance(away.sources[i], Path) for i in away.labelled_idxs)     # Twemoji's are files
    assert all(isinstance(away.sources[i], np.ndarray) for i in away.test_idxs) # OpenMoji's are drawn with a font
    assert len(set(away.ids)) == len(away) == len(made.emoji())                   # no emoji is on both sides
    two = made.MADE['animal_or_food']()
    assert {i: two.classes[c] for i, c in zip(two.ids, two.labels)}.items() <= dict(zip(away.ids, np.array(away.classes)[away.labels])).items()


def test_advice_keeps_other_situations():
    advice = import_module('benchmarks.advice')
    before = [dict(task='a', n=1, old=True), dict(task='a', n=2, old=True), dict(task='b', n=1, old=True)]
    assert advice.kept(before, [dict(task='a', n=2)]) == [before[0], before[2], dict(task='a', n=2)]
    assert advice.of_habits([dict(plain=1., rules=2.), dict(plain=3.)] + [dict.fromkeys(advice.ALWAYS, 2.)])['plain'] == dict(situations=3, mean_regret=2, worst_regret=3)


def test_length_says_what_stopping_cost():
    "A network that guesses for 320 steps and then knows: a line through its first looks is level, three looks from 400 steps on are not"
    length = import_module('benchmarks.length')
    rng, targets = np.random.default_rng(0), np.arange(20) % 2
    steps = np.array([20, 28, 40, 57, 80, 113, 160, 226, 320, 453, 640, 905, 1280])
    knows = np.stack([np.eye(2)[targets]*9*(step > 320) for step in steps])
    outputs = knows + rng.normal(size=knows.shape)
    path = dict(step=steps, before=0*steps, valid=outputs, test=outputs, valid_targets=targets, test_targets=targets)
    row = length.row_of(('toy', 'scratch', 20, 0), path)
    assert row['since_an_eighth_steps'] <= 320 and row['since_an_eighth_lost'] > 20
    assert row['now_steps'] > 453 and row['now_lost'] == 0 and row['late'] == 100
    found = length.overall([row])
    assert found['since_an_eighth']['stopped'] == 1 and found['since_an_eighth']['worst_lost'] == row['since_an_eighth_lost']
    goes_on = row | dict(since_an_eighth_steps=1280, since_an_eighth_lost=-50.) # which the rule did not end: it has neither lost nor won by it
    assert length.overall([row, goes_on])['since_an_eighth']['mean_lost'] == row['since_an_eighth_lost']
    assert 'mean_lost' not in length.overall([goes_on])['since_an_eighth']
