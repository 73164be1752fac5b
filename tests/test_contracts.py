"What users rely on: the calls of a notebook as one flow, the command's exit statuses, sentences and files, the names in them"

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tl_vs_scratch as tlvs
from commands import ENV, commands, paint, paint_folder, stored
from fastai.data.core import DataLoaders
from fastai.learner import Learner

COLUMNS = '''task strategy start body n seed size lr settings_digest score valid_score test_score train_score overfitting_gap
seconds seconds_wall seconds_tuning steps flops trainable_params peak_memory_mb device threads precision
use_seconds_per_1000 weights_mb status error'''.split()
TINY = dict(preset='exhaustive', max_steps=20, size=32, jobs=1, progress=False)


@pytest.fixture(scope='module', autouse=True)
def command(): return commands() # starts at once, and imports while the first tests run


@pytest.fixture(scope='module')
def photos(tmp_path_factory): return paint_folder(tmp_path_factory.mktemp('in')/'<i>photos')


# --- the contract in Python ---

@pytest.fixture(scope='module')
def flow(photos, tmp_path_factory):
    "Section 4 of DESIGN.md, line by line"
    res = SimpleNamespace(task=tlvs.from_folder(photos, size=32))
    res.dls = res.task.dls(n=8, seed=0)
    res.learn = learn = tlvs.pretrained_learner(res.dls)
    tlvs.freeze_to(learn, -2)
    res.stages = tlvs.stage_table(learn)
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(3, tlvs.discriminative_lrs(1e-3, learn))
        with tlvs.audit_frozen(learn) as res.audited: learn.fit(1)
    res.moved = {k.split('.')[1] if k.startswith('stages') else k.split('.')[0] for k, v in learn.model.state_dict().items() if not v.equal(before[k])}
    two = dict(strategies=['scratch:convnet', 'linear_probe'], out=tmp_path_factory.mktemp('flow'), **TINY)
    res.study, res.one_seed = tlvs.compare(res.task, sizes=[8, 16], seeds=2, **two), tlvs.compare(res.task, sizes=[8], seeds=1, **two)
    return res


def test_flow_gives_plain_fastai(flow):
    assert type(flow.dls) is DataLoaders and type(flow.learn) is Learner
    assert len(flow.dls.train_ds) + len(flow.dls.valid_ds) == 8


def test_flow_trains_what_the_table_says(flow):
    assert flow.moved == {*flow.stages.index[flow.stages.trainable > 0]} == {'top', 'head'}
    assert flow.audited == []


def test_results_columns_and_rows(flow):
    r = flow.study.results
    assert list(r.columns) == COLUMNS
    assert len(r) == 8 and set(r.status) == {'learning'} and set(r.error) == {''}
    assert set(zip(r.strategy, r.n, r.seed)) == {(s, n, k) for s in ('scratch:convnet', 'linear_probe') for n in (8, 16) for k in (0, 1)}
    assert set(zip(r.strategy, r.start, r.body)) == {('scratch:convnet', 'random', 'convnet'), ('linear_probe', 'pretrained', 'tf_efficientnet_lite0')}
    assert set(r['size']) == {32} and set(r.task) == {flow.task.name}
    np.testing.assert_allclose(r.overfitting_gap, r.train_score - r.test_score)
    for name in ('seconds', 'seconds_wall', 'steps', 'flops', 'trainable_params'): assert (r[name] > 0).all(), name
    assert r.groupby('strategy').settings_digest.nunique().tolist() == [1, 1] and r.settings_digest.nunique() == 2


def test_outputs_are_kept_with_their_names(flow):
    "So that later comparisons are paired: what SQLite holds is enough to compute every test score again, and every other score"
    with closing(sqlite3.connect(flow.study.out/'study.db')) as db:
        rows = db.execute('SELECT strategy, n, seed, test, valid, train, about FROM trials JOIN tasks USING (fingerprint)').fetchall()
    assert len(rows) == 8
    known = flow.study.results.set_index(['strategy', 'n', 'seed'])
    for strategy, n, seed, test, valid, train, about in rows:
        about, outputs = json.loads(about), np.frombuffer(test, '<f4').reshape(-1, 2)
        assert [about['classes'][k] for k in about['labels']] == [Path(i).parent.name for i in about['ids']]
        truth = np.array(about['labels'])[np.array(about['is_test'])]
        assert len(about['ids']) == len(set(about['ids'])) and len(truth) == len(outputs)
        assert (outputs.argmax(1) == truth).mean() == pytest.approx(known.test_score[strategy, n, seed])
        assert (len(valid) + len(train))/(4*2) == n, 'each label has its outputs, too'


def test_another_score_needs_no_training(flow):
    "Of the same trials: log loss by hand, from what SQLite holds"
    study = tlvs.Results(flow.study.out, 'log_loss') # of the run with one seed, which was the last
    trial = study.trials()[0]
    truth = flow.task.labels[flow.task.test_idxs]
    chances = np.exp(trial.outputs['test'])/np.exp(trial.outputs['test']).sum(1, keepdims=True)
    assert trial.row['score'] == 'log_loss' and trial.row['test_score'] == pytest.approx(-np.log(chances[np.arange(len(truth)), truth]).mean(), rel=1e-5)
    assert 'points' not in ' '.join(study.summary().words)


class Tags(HTMLParser):
    "The elements of a piece of HTML, and its text"
    def __init__(self, html):
        super().__init__()
        self.names, self.text = set(), ''
        self.feed(html)
    def handle_starttag(self, tag, attrs): self.names.add(tag)
    def handle_data(self, data): self.text += data


def test_html_shows_odd_names_as_text(flow):
    assert flow.task.name == '<i>photos'
    page = Tags(flow.task._repr_html_())
    assert '<script>' in page.text and '<i>photos' in page.text and not page.names & {'script', 'i'}
    odd = tlvs.Strategy('<b>mine', 'random', (tlvs.Phase(train='all'),))
    study = tlvs.compare(flow.task, sizes=[8], seeds=1, strategies=[odd], body='convnet', out=flow.study.out, **TINY)
    page = Tags(study._repr_html_())
    assert '<b>mine' in page.text and 'b' not in page.names
    assert {'table', 'li'} <= page.names and page.text.count('<b>mine') >= 2, 'in the words and in the table'


def test_plots_show_each_strategy(flow):
    ax = flow.study.plot()
    assert {'scratch:convnet', 'linear_probe'} <= {t.get_text() for t in ax.get_legend().get_texts()}


def check_summary(s, task, labels, seeds):
    "Keys and types as the contract says"
    assert set(s) == {'schema', 'task', 'n_classes', 'labels_available', 'score', 'strategies', 'paired', 'crossover', 'verdicts', 'forecasts', 'advice',
                      'study', 'versions'}
    assert s['schema'] == 3 and s['score'] == 'accuracy' and s['task'] == task.name and s['n_classes'] == 2 and s['labels_available'] == task.labels_available
    assert list(s['strategies']) == labels
    pair = lambda o: o is None if seeds < 3 else len(o) == 2 and all(type(x) is float for x in o) and o[0] <= o[1]
    for points in s['strategies'].values():
        assert points
        for p in points:
            assert set(p) == {'n', 'seeds', 'done', 'score_mean', 'score_ci95', 'accuracy_mean', 'accuracy_ci95', 'gap_mean', 'seconds_mean', 'flops_mean', 'trainable_params'}
            assert type(p['n']) is int and p['seeds'] == seeds and type(p['trainable_params']) is int and pair(p['accuracy_ci95'])
            assert p['score_mean'] == p['accuracy_mean'] and all(type(p[k]) is float for k in ('accuracy_mean', 'gap_mean', 'seconds_mean', 'flops_mean'))
    for p in s['paired']:
        assert {'n', 'a', 'b', 'difference', 'ci95'} <= set(p) and {p['a'], p['b']} == set(labels) and pair(p['ci95'])
    assert {'status', 'low', 'mid', 'high'} <= set(s['crossover'])
    assert s['crossover']['status'] in ('crossed', 'expected', 'not_within', 'undecided')
    assert all(s['crossover'][k] is None or type(s['crossover'][k]) is int for k in ('low', 'mid', 'high'))
    assert set(s['advice']) == {'strategy', 'shortfall', 'reasons', 'alternatives', 'next'} and s['advice']['reasons'] and all(type(r) is str for r in s['advice']['reasons'])
    assert all(type(v) is str for v in s['versions'].values()) and s['versions']['tl-vs-scratch'] == tlvs.__version__


def not_json(word): raise AssertionError(f'{word} is not JSON')


def reread(study, folder):
    study.summary().save(folder/'summary.json')
    return json.loads((folder/'summary.json').read_text(), parse_constant=not_json)


def test_summary(flow, tmp_path):
    s = reread(flow.study, tmp_path)
    check_summary(s, flow.task, ['scratch:convnet', 'linear_probe'], 2)
    assert [p['n'] for p in s['strategies']['linear_probe']] == [8, 16] and len(s['paired']) == 2
    assert s['advice']['strategy'] is None and s['advice']['next'] == ['run 3 seeds'], 'two seeds are no ground for advice'


def test_summary_of_one_seed_claims_nothing(flow, tmp_path):
    s = reread(flow.one_seed, tmp_path)
    check_summary(s, flow.task, ['scratch:convnet', 'linear_probe'], 1)
    assert s['advice']['strategy'] is None and s['crossover']['status'] == 'undecided'
    assert [s['crossover'][k] for k in ('low', 'mid', 'high')] == [None]*3
    assert not any(w in str(flow.one_seed.summary()) for w in ('ahead', 'Take '))


def test_subset_of_a_grid_reads_its_own_rows(flow):
    assert flow.one_seed.trained == 0, 'its trials were in the store'
    assert set(zip(flow.one_seed.results.n, flow.one_seed.results.seed)) == {(8, 0)}


def test_import_of_the_library_is_enough(command):
    "The contract's lines need no `from fastai.vision.all import *` before them"
    assert {'fit', 'fit_one_cycle', 'lr_find', 'fine_tune', 'no_bar'} <= set(command.learner_can)


# --- the command ---

def test_entry_point():
    script = Path(sys.executable).parent/'tl-vs-scratch'
    if not script.exists(): pytest.skip('installed elsewhere')
    done = subprocess.run([script, 'tasks'], capture_output=True, text=True, env=ENV)
    assert (done.returncode, done.stderr) == (0, '')
    assert {o.split()[0] for o in done.stdout.splitlines()} >= {'emoji', 'digits', 'FOLDER'}


@pytest.fixture(scope='module')
def corner(tmp_path_factory, photos):
    "A folder of things that go wrong"
    d = tmp_path_factory.mktemp('corner')
    shutil.copytree(photos, d/'photos')
    paint_folder(d/'one', classes=['cat'])
    (d/'empty').mkdir()
    for k in range(2): paint(d/'loose'/f'{k}.png', 100*k, np.random.default_rng(k))
    (d/'file').write_text('a file where a folder should be')
    (d/'not_db').mkdir(); (d/'not_db/study.db').write_text('the diary of a nobody, page 1\n'*200)
    (d/'later').mkdir(); (d/'foreign').mkdir(); (d/'folder/study.db').mkdir(parents=True)
    with closing(sqlite3.connect(d/'later/study.db')) as db, db: db.execute('CREATE TABLE trials (x)'); db.execute('PRAGMA user_version = 99')
    with closing(sqlite3.connect(d/'foreign/study.db')) as db, db: db.execute('CREATE TABLE trials (weather TEXT)')
    return d


MISTAKES = {
    'unknown task': (2, 'no-such-task', [], 'no-such-task'),
    'mistyped folder': (2, 'foto', [], "Did you mean 'photos'?"),
    'mistyped path': (2, './foto', [], "there is no folder './foto'"),
    'a file for a folder': (2, 'file', [], "'file' is a file"),
    'pictures in no class folder': (2, 'loose', [], 'such as loose/cat/0.png'),
    'unknown score': (2, 'photos', ['--score', 'acuracy'], "Did you mean 'accuracy'?"),
    'unknown strategy': (2, 'photos', ['--strategies', 'finetune'], "'finetune'"),
    'unknown body': (2, 'photos', ['--strategies', 'scratch:resnet19'], "'resnet19'"),
    'body without weights': (2, 'photos', ['--strategies', 'linear_probe:convnet'], "'convnet'"),
    'words for sizes': (2, 'photos', ['--sizes', 'ten'], "'ten'"),
    'sizes out of order': (2, 'photos', ['--sizes', '8,,x'], "'8,,x'"),
    'n too large': (2, 'photos', ['--sizes', '9999'], 'n=9999'),
    'n too small': (2, 'photos', ['--sizes', '2'], 'n=2'),
    'one class': (2, 'one', [], '(cat)'),
    'empty folder': (2, 'empty', [], "'empty'"),
    'out is a file': (1, 'photos', ['--out', 'file'], "'file'"),
    'out cannot be made': (1, 'photos', ['--out', '/proc/none/here'], '/proc/none'),
    'study.db of another layout, afresh': (1, 'photos', ['--out', 'later', '--fresh'], 'later/study.db'),
    'study.db is no database': (1, 'photos', ['--out', 'not_db'], 'not_db/study.db'),
    'study.db of another layout': (1, 'photos', ['--out', 'later'], 'later/study.db'),
    'study.db of another program': (1, 'photos', ['--out', 'foreign'], 'foreign/study.db'),
    'study.db is a folder': (1, 'photos', ['--out', 'folder'], 'folder/study.db'),
}


@pytest.mark.parametrize('case', MISTAKES)
def test_mistake_is_one_sentence(case, command, corner):
    status, data, options, says = MISTAKES[case]
    words = ['compare', data, '--strategies', 'scratch:convnet', '--sizes', '8', '--seeds', '1', '--jobs', '1', '--out', corner/'out', *options]
    done = command(*words, cwd=corner)
    assert 'Traceback' not in done.err, done.err[-600:]
    assert done.status == status
    assert len(done.sentences) == 1 and says in done.err and done.out == '', done
    assert done.err.startswith('tl-vs-scratch: ')


@pytest.mark.parametrize('kind', ['not_db', 'later', 'foreign'])
def test_a_foreign_file_is_left_alone(kind, command, corner):
    before = (corner/kind/'study.db').read_bytes()
    command('compare', 'photos', '--strategies', 'scratch:convnet', '--sizes', '8', '--seeds', '1', '--out', kind, cwd=corner)
    assert (corner/kind/'study.db').read_bytes() == before


@pytest.mark.parametrize('words', [['comapre'], ['compare', '--seeds', '0'], ['compare', '--jobs', '0'], ['compare', '--colour'], ['compare', '--preset', 'huge']], ids=' '.join)
def test_bad_usage(words, command):
    done = command(*words)
    assert done.status == 2 and done.out == '' and 'Error: ' in done.err and 'Traceback' not in done.err


@pytest.mark.parametrize('words', [['--help'], ['compare', '--help'], ['report', '--help'], ['tasks', '--help']], ids=' '.join)
def test_help(words, command):
    done = command(*words)
    assert (done.status, done.err) == (0, '') and 'Usage: tl-vs-scratch' in done.out


@pytest.fixture
def study_of(command, tmp_path, photos):
    "A function that runs `compare` on a copy of the pictures: what it printed, the stored trials, the bytes of results.csv"
    data = tmp_path/'photos'
    shutil.copytree(photos, data)
    def run(*options, seeds=2):
        done = command('compare', data, '--strategies', 'scratch:convnet', '--sizes', '8', '--seeds', seeds, '--jobs', '1', '--out', tmp_path/'out', *options)
        assert done.status == 0, done.err
        return done, stored(tmp_path/'out'), (tmp_path/'out/results.csv').read_bytes()
    return run


def test_command_goes_on_where_it_stopped(study_of, tmp_path):
    done, rows, csv = study_of()
    assert 'Trained 2 trials.' in done.out and len(rows) == 2 and '2 trainings to do' in done.err and '2 of 2 trainings' in done.err
    assert sorted(o.name for o in (tmp_path/'out').iterdir()) == ['.study.lock', 'report.html', 'results.csv', 'study.db', 'summary.json', 'unfinished']
    assert list(pd.read_csv(tmp_path/'out/results.csv')) == COLUMNS
    check_summary(json.loads((tmp_path/'out/summary.json').read_text(), parse_constant=not_json), tlvs.from_folder(tmp_path/'photos'), ['scratch:convnet'], 2)
    # the same again: nothing is trained, nothing changes
    again, rows_again, csv_again = study_of()
    assert 'Nothing to train' in again.out and again.sentences == [] and 'trainings' not in again.err
    assert csv_again == csv and rows_again == rows
    # one seed more: what is missing, and only that
    more, rows_more, csv_more = study_of(seeds=3)
    assert 'Trained 1 trial' in more.out and rows_more[:2] == rows and len(rows_more) == 3
    assert csv_more.startswith(csv)
    # afresh: everything is trained again, and the clock never reads the same twice
    fresh, rows_fresh, _ = study_of('--fresh')
    assert 'Trained 2 trials.' in fresh.out and len(rows_fresh) == 2
    assert not {r[3] for r in rows_fresh} & {r[3] for r in rows}
    assert [r[4] for r in rows_fresh] == [r[4] for r in rows], 'same seed, same outputs'


def test_the_same_study_from_its_summary(study_of, command, tmp_path):
    "On the same pictures it gives the same rows; on others, or with other options, it says why not"
    _, rows, _ = study_of()
    asked = tmp_path/'out/summary.json'
    def again(data, *options): return command('compare', data, '--from', asked, '--jobs', '1', '--out', tmp_path/'again', *options)
    assert 'photos' not in json.dumps(json.loads(asked.read_text())['study']['columns']), 'where they lie is nobody else\'s business'
    moved = shutil.copytree(tmp_path/'photos', tmp_path/'elsewhere/photos')
    done = again(moved)
    assert done.status == 0 and 'Trained 2 trials.' in done.out, done.err
    same = stored(tmp_path/'again')
    assert [(r[0], *r[1:3], r[4]) for r in same] == [(r[0], *r[1:3], r[4]) for r in rows], 'another digest, or other outputs'
    done = again(moved, '--sizes', '4', '--score', 'log_loss')
    assert done.status == 2 and len(done.sentences) == 1 and 'leave out --sizes, --score' in done.err
    done = command('compare', '--from', asked)
    assert done.status == 2 and 'say where they are: compare DATA --from' in done.err
    paint(moved/'cat/new.png', 150, np.random.default_rng(9))
    done = again(moved)
    assert done.status == 2 and 'are not those of that study' in done.err and stored(tmp_path/'again') == same


def test_other_data_are_never_mixed(study_of, tmp_path):
    _, rows, csv = study_of()
    new = tmp_path/'photos/cat/new.png'
    paint(new, 150, np.random.default_rng(9))
    done, both, csv_new = study_of()
    assert 'Trained 2 trials.' in done.out and len(both) == 4 and len(csv_new.splitlines()) == 3
    assert set(pd.read_csv(tmp_path/'out/results.csv').settings_digest).isdisjoint(r[0] for r in rows)
    new.unlink()
    done, _, csv_old = study_of()
    assert 'Nothing to train' in done.out and csv_old == csv
