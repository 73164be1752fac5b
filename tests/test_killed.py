"""Killed at any point, nothing is lost; Ctrl-C at any moment is one sentence; two runs in one folder; a clock that goes backwards; a full disk

A study is killed at random moments, as many as TLVS_KILLS says, and at chosen ones, in the middle of what is most delicate. Then the same
command must end with the table of a study that nobody disturbed, to the last bit, and train nothing that was finished before."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from threading import Barrier, Thread

import numpy as np
import pandas as pd
import pytest
from commands import ENV, Done, commands, paint_folder, stored, until
from safetensors import safe_open
from tl_vs_scratch.studies.store import Store

KILLS = int(os.environ.get('TLVS_KILLS', 4))
RANDOM = random.Random(os.environ.get('TLVS_SEED', 0))
LABELS = ('scratch:convnet', 'most_frequent', 'linear_probe')
SEEDS = 2
TIMED = ['seconds', 'seconds_wall', 'seconds_tuning', 'peak_memory_mb', 'use_seconds_per_1000']


def words(labels=LABELS[:2], jobs=1):
    return ['compare', 'photos', '--strategies', ','.join(labels), '--sizes', '12', '--seeds', SEEDS, '--jobs', jobs, '--out', 'out', '--cache-dir', 'cache']


# What each process does first: 28 steps, and every training is put away at its checkpoints, after 20 and 28; the file `steps` says what is trained
WATCHED = """
import os
from dataclasses import replace
from tl_vs_scratch.studies.plan import PRESETS
from tl_vs_scratch.training import trial
PRESETS['quick']['settings'] = replace(PRESETS['quick']['settings'], max_steps=28, bs=8, augment=False, size=16)
trial.KEEP_EVERY = 0
plain = trial.Training.train
def train(self, steps):
    first = self.steps
    plain(self, steps)
    with open('steps', 'a') as file: file.write(f'{self.entrant.label} {self.n} {self.seed} {first} {self.steps}\\n')
trial.Training.train = train
def die(): os.kill(os.getpid(), 9)
"""
TERSE = WATCHED + """
from tl_vs_scratch import cli
cli.finish = lambda study, *_: print(cli.what_was_done(study)) # a report takes a second
"""


@pytest.fixture(scope='module')
def command(): return commands()


@pytest.fixture(scope='module')
def whole(command, tmp_path_factory):
    "A study that nobody disturbed"
    folder = place(tmp_path_factory.mktemp('whole'))
    done = command(*words(LABELS), cwd=folder, first=WATCHED)
    assert done.status == 0 and f'Trained {SEEDS*len(LABELS)} trials' in done.out, done
    return folder


def place(folder):
    paint_folder(folder/'photos')
    return folder


def table(folder, labels):
    "What `results.csv` says of these strategies, without what is measured in seconds and bytes"
    found = pd.read_csv(folder/'out/results.csv').drop(columns=TIMED)
    return found[found.strategy.isin(labels)].reset_index(drop=True)


def rows(folder, ask):
    "What the database says, after whatever a killed process has left open there was undone"
    if not (folder/'out/study.db').exists(): return []
    with closing(sqlite3.connect(folder/'out/study.db')) as db:
        assert db.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
        try: return db.execute(ask).fetchall()
        except sqlite3.OperationalError: return [] # no table yet


def outputs(folder, digests):
    "Every stored output, of each trial and of each checkpoint on its way, and the losses"
    trials = rows(folder, 'SELECT settings_digest, n, seed, steps, status, test, valid, train FROM trials ORDER BY 1, 2, 3')
    ways = rows(folder, 'SELECT settings_digest, n, seed, lr_factor, step, train_loss, test, valid FROM checkpoints ORDER BY 1, 2, 3, 4, 5')
    return [row for row in trials + ways if row[0] in digests]


def finished(folder): return set(rows(folder, 'SELECT settings_digest, n, seed, seconds, test FROM trials'))


def steps(folder):
    "(label, seed) -> all steps that were made, by all runs in a folder"
    found, path = {}, folder/'steps'
    for line in path.read_text().splitlines() if path.exists() else []:
        label, _, seed, first, last = line.split()
        found.setdefault((label, seed), []).extend(range(int(first), int(last)))
    return found


def check_table(folder, whole, labels=LABELS[:2]):
    "As if nobody had disturbed it, to the last bit"
    pd.testing.assert_frame_equal(table(folder, labels), table(whole, labels), check_exact=True)
    digests = {row[0] for row in finished(folder)}
    assert len(finished(folder)) == SEEDS*len(labels) and outputs(folder, digests) == outputs(whole, digests)
    assert not list(folder.glob('out/**/tmp-*')), 'what was torn is gone'


def check_goes_on(command, folder, whole, labels=LABELS[:2], first=TERSE):
    "The same command trains what is missing, and nothing else: what is finished stays as it is, to the last digit of its seconds"
    before = finished(folder)
    done = command(*words(labels), cwd=folder, first=first)
    missing = SEEDS*len(labels) - len(before)
    assert done.status == 0 and (f'Trained {missing} trial' if missing else 'Nothing to train') in done.out, done
    assert before <= finished(folder)
    check_table(folder, whole, labels)


def check_steps(folder, again):
    "No training made more than so many steps a second time, and all are there"
    for key, made in steps(folder).items():
        assert set(made) == set(range(28)) and len(made) - 28 <= again, (key, made)


# --- killed at random moments ---

@pytest.mark.parametrize('moment', [f'{RANDOM.random():.2f}' for _ in range(KILLS)])
def test_killed_at_random(moment, command, whole, tmp_path):
    "At this part of the way"
    labels = LABELS[::2] if float(moment)*100 % 2 < 1 else LABELS[:2]
    pid, ends, began = command.start(*words(labels), cwd=place(tmp_path), first=TERSE), [], time.monotonic()
    goal = float(moment)*(2 + 28*SEEDS*(2 if 'linear_probe' in labels else 1)) # in steps, that pass quicker on a machine with nothing else to do
    until(lambda: sum(map(len, steps(tmp_path).values())) + 2*(finished(tmp_path) != set()) >= goal - 16)
    time.sleep(.3*RANDOM.random())
    with suppress(ProcessLookupError): os.kill(pid, signal.SIGKILL)
    assert command.end(pid).status in (0, -signal.SIGKILL)
    check_goes_on(command, tmp_path, whole, labels)
    check_steps(tmp_path, again=20) # from one checkpoint to the next


# --- killed in the middle of something ---

HALF = '''
from safetensors.torch import save
from pathlib import Path
def half(tensors, path, metadata=None):
    data = save(tensors, metadata)
    Path(path).write_bytes(data[:len(data)//2])
    die()
'''

def half_text(name):
    "Half of a text is written, where its file's name ends so"
    return f'''
from pathlib import Path
whole_text = Path.write_text
def write_text(self, text, **kw):
    if not self.name.endswith('{name}'): return whole_text(self, text, **kw)
    whole_text(self, text[:len(text)//2], **kw)
    die()
Path.write_text = write_text
'''

# As the first tables are made, and not yet all
TABLES = """
import sqlite3
from tl_vs_scratch.studies import store
store.TABLES = (*store.TABLES[:2], 'SELECT die()', *store.TABLES[2:])
plain_connect = sqlite3.connect
def connect(*args, **kw):
    db = plain_connect(*args, **kw)
    db.create_function('die', 0, die)
    return db
sqlite3.connect = connect
"""

# After the trial's row, before its checkpoints. With so few pages in memory, SQLite has to write some before the transaction is over
TRANSACTION = '''
from tl_vs_scratch.studies.store import Store
plain_insert, count = Store.insert, []
def insert(self, db, table, rows):
    if table == 'trials' and len(count) == 2:
        db.execute('PRAGMA cache_size = 1')
        db.execute("INSERT INTO excerpts SELECT 'x', value, zeroblob(5000) FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]')")
    plain_insert(self, db, table, rows)
    if table == 'trials':
        count.append(1)
        if len(count) == 3: die()
Store.insert = insert
'''


def after(calls, name, module):
    "Die at the call of this number, before it"
    return f'''
import {module} as module
plain_call, calls = module.{name}, []
def call(*args, **kw):
    calls.append(1)
    if len(calls) > {calls}: die()
    return plain_call(*args, **kw)
module.{name} = call
'''


def before(call, module, number=1):
    "Die before this call of a function or method, of the number"
    return f"""
import {module} as module
plain_call, calls = module.{call}, []
def call(*args, **kw):
    calls.append(1)
    if len(calls) == {number}: die()
    return plain_call(*args, **kw)
module.{call} = call
"""


STORE, PAGES = 'tl_vs_scratch.studies.store', WATCHED
MOMENTS = { # where it dies; how many trials are finished then; steps that one training makes again
    'an unfinished training, in half': (TERSE + 'from tl_vs_scratch.training import anytime' + HALF + 'anytime.save_file = half', 0, 20),
    'an unfinished training, before it takes its place': (TERSE + before('Path.replace', 'pathlib'), 0, 20),
    'over, and not in the database': (TERSE + before('Store.add', STORE), 0, 0),
    'a later one, over': (TERSE + before('Store.add', STORE, 3), 2, 0),
    'a transaction': (TERSE + TRANSACTION, 2, 0),
    'the tables of the database': (TERSE + TABLES, 0, 0),
    'the note of a run': (TERSE + before('Store.add_run', STORE, 3), 1, 0),
    'results.csv': (TERSE + before('Results.write_csv', 'tl_vs_scratch.studies.results'), 4, 0),
    'summary.json, in half': (PAGES + half_text('summary.json'), 4, 0),
    'report.html, in half': (PAGES + half_text('report.html'), 4, 0),
}


@pytest.mark.parametrize('moment', MOMENTS)
def test_killed_in_the_middle(moment, command, whole, tmp_path):
    first, done_then, again = MOMENTS[moment]
    killed = command(*words(), cwd=place(tmp_path), first=first)
    assert killed.status == -signal.SIGKILL, killed
    if moment == 'a transaction': assert (tmp_path/'out/study.db-journal').stat().st_size > 5000, 'there is something to be undone'
    assert len(finished(tmp_path)) == done_then
    page = first.startswith(PAGES) and not first.startswith(TERSE)
    check_goes_on(command, tmp_path, whole, first=WATCHED if page else TERSE)
    check_steps(tmp_path, again)
    if page: assert (tmp_path/'out/report.html').read_text().rstrip().endswith('</html>')


def test_killed_in_the_middle_of_the_cache(command, whole, tmp_path):
    first = TERSE + 'from tl_vs_scratch.training import tables' + HALF + 'tables.save_file = half'
    killed = command(*words(LABELS[::2]), cwd=place(tmp_path), first=first)
    assert killed.status == -signal.SIGKILL and list(tmp_path.glob('cache/*.tmp')), killed
    check_goes_on(command, tmp_path, whole, LABELS[::2])
    assert not list(tmp_path.glob('cache/*.tmp')) and list(tmp_path.glob('cache/*.safetensors'))


def test_a_good_report_stays_until_the_next_is_whole(command, tmp_path):
    words_of = lambda seeds: ['compare', 'photos', '--strategies', 'most_frequent', '--sizes', '12', '--seeds', seeds, '--jobs', 1, '--out', 'out']
    assert command(*words_of(1), cwd=place(tmp_path), first=WATCHED).status == 0
    pages = [tmp_path/'out'/name for name in ('summary.json', 'report.html')]
    good = [page.read_text() for page in pages]
    for k, page in enumerate(pages): # one is written after the other
        assert command(*words_of(2), cwd=tmp_path, first=WATCHED + half_text(page.name)).status == -signal.SIGKILL
        assert [page.read_text() for page in pages[k:]] == good[k:]
