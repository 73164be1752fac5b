"""Killed at any point, nothing is lost; Ctrl-C at any moment is one sentence; two runs in one folder; a clock that goes backwards; a full disk

A study is killed at random moments, as many as TLVS_KILLS says, and at chosen ones, in the middle of what is most delicate. Then the same
command must end with the table of a study that nobody disturbed, to the last bit, and train nothing that was finished before."""

import json
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

import pandas as pd
import pytest
from commands import ENV, Done, commands, paint_folder, until
from tl_vs_scratch.studies.store import Store

KILLS = int(os.environ.get('TLVS_KILLS', 2))
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
PRESETS['quick']['settings'] = replace(PRESETS['quick']['settings'], max_steps=28, bs=4, augment=False, size=16)
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
    found = pd.read_csv(folder/'out/results.csv', dtype=str, keep_default_na=False).drop(columns=TIMED)
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
    pd.testing.assert_frame_equal(table(folder, labels), table(whole, labels))
    digests = {row[0] for row in finished(folder)}
    assert len(finished(folder)) == SEEDS*len(labels) and outputs(folder, digests) == outputs(whole, digests)
    assert not list(folder.glob('out/**/tlvs-tmp-*')), 'what was torn is gone'


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
    pid = command.start(*words(labels), cwd=place(tmp_path), first=TERSE)
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


def before(call, module, number=1, then='die()'):
    "Die before this call of a function or method, of the number"
    return f"""
def hook(module, plain, calls=[]):
    def call(*args, **kw):
        calls.append(1)
        if len(calls) == {number}: {then}
        return plain(*args, **kw)
    module.{call} = call
import {module} as module
hook(module, module.{call}, [])
"""


STORE = 'tl_vs_scratch.studies.store'
MOMENTS = { # what it does first; how many trials are finished when it dies; steps that one training makes again
    'an unfinished training, in half': ('from tl_vs_scratch.training import anytime' + HALF + 'anytime.save_file = half', 0, 20),
    'an unfinished training, before it takes its place': (before('Path.replace', 'pathlib'), 0, 20),
    'over, and not in the database': (before('Store.add', STORE), 0, 0),
    'a transaction': (TRANSACTION, 2, 0),
    'the tables of the database': (TABLES, 0, 0),
    'the note of a run': (before('Store.add_run', STORE, 3), 1, 0),
    'results.csv': (before('Results.write_csv', 'tl_vs_scratch.studies.results'), 4, 0),
}


@pytest.mark.parametrize('moment', MOMENTS)
def test_killed_in_the_middle(moment, command, whole, tmp_path):
    first, done_then, again = MOMENTS[moment]
    killed = command(*words(), cwd=place(tmp_path), first=TERSE + first)
    assert killed.status == -signal.SIGKILL, killed
    if moment == 'a transaction': assert (tmp_path/'out/study.db-journal').stat().st_size > 5000, 'there is something to be undone'
    assert len(finished(tmp_path)) == done_then
    check_goes_on(command, tmp_path, whole)
    check_steps(tmp_path, again)


def test_killed_in_the_middle_of_the_cache(command, whole, tmp_path):
    first = TERSE + 'from tl_vs_scratch.training import tables' + HALF + 'tables.save_file = half'
    killed = command(*words(LABELS[::2]), cwd=place(tmp_path), first=first)
    assert killed.status == -signal.SIGKILL and list(tmp_path.glob('cache/*.tmp')), killed
    check_goes_on(command, tmp_path, whole, LABELS[::2])
    assert not list(tmp_path.glob('cache/*.tmp')) and list(tmp_path.glob('cache/*.safetensors'))


def test_a_killed_race_has_told_its_machine_and_what_it_spent(command, tmp_path):
    done = command(*words(), '--budget', '60s', cwd=place(tmp_path), first=TERSE + before('Store.add', STORE, 3))
    assert done.status == -signal.SIGKILL and len(finished(tmp_path)) == 2, done
    (study, machine), = rows(tmp_path, 'SELECT study, machine FROM runs')
    assert json.loads(study)['raced'] > 0 and 'processor' in json.loads(machine)['machine']


QUICK = 'most_frequent', # trains nothing


def test_a_good_report_stays_until_the_next_is_whole(command, tmp_path):
    assert command(*words(QUICK), cwd=place(tmp_path), first=WATCHED).status == 0
    pages = [tmp_path/'out'/name for name in ('summary.json', 'report.html')]
    good = [page.read_text() for page in pages]
    more = words((*QUICK, 'plain_svm'))
    for k, page in enumerate(pages): # one is written after the other
        assert command(*more, cwd=tmp_path, first=WATCHED + half_text(page.name)).status == -signal.SIGKILL
        assert [page.read_text() for page in pages[k:]] == good[k:] and len(list((tmp_path/'out').glob('tlvs-tmp-*'))) == 1
    assert command(*more, cwd=tmp_path, first=WATCHED).status == 0
    assert pages[1].read_text().rstrip().endswith('</html>') and 'plain_svm' in pages[1].read_text() and not list((tmp_path/'out').glob('tlvs-tmp-*'))


def test_killed_with_workers(command, whole, tmp_path):
    "They end soon after who started them, and may still be writing when the next one begins"
    pid = command.start(*words(jobs=2), cwd=place(tmp_path), first=TERSE)
    until(lambda: finished(tmp_path))
    os.kill(pid, signal.SIGKILL)
    assert command.end(pid).status == -signal.SIGKILL
    check_goes_on(command, tmp_path, whole)


# --- Ctrl-C ---

START = 'import re, sys\nfrom tl_vs_scratch import main\nsys.exit(main())' # what pip writes into the program


def check_stopped(done):
    assert done.status == 130 and 'Traceback' not in done.err and 'Exception' not in done.err, done
    assert len(done.sentences) == 1 and done.sentences[0].startswith('stopped; '), done.sentences


# What Python is about to do when the signal comes: the import of a module, which is looked for once, or a call
IMPORTS = ['typer', 'tl_vs_scratch.cli', 'tl_vs_scratch.answers.shown', 'pandas', 'tl_vs_scratch.tasks.decoding', 'filelock', 'torch']
AT_IMPORT = '''
import os, signal, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(99): pass # some import's code may catch what is raised here
sys.meta_path.insert(0, Watch())
'''


def interrupted_at(code, folder, *more):
    "The real command in a process of its own, which has made up its mind about Ctrl-C before"
    start = [sys.executable, '-c', START.replace('import re, sys\n', 'import re, sys\nfrom tl_vs_scratch import main\n' + code), *map(str, words()), *more]
    done = subprocess.run(start, cwd=folder, env=ENV, capture_output=True, text=True, start_new_session=True)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize('name', IMPORTS)
def test_ctrl_c_while_it_imports(name, tmp_path):
    check_stopped(interrupted_at(AT_IMPORT.format(name=name), place(tmp_path)))


def test_ctrl_c_from_the_first_line_on(tmp_path):
    "As soon as Python reads the package: no module of ours, and none of another, is read before that"
    done = subprocess.run([sys.executable, '-X', 'importtime', '-c', 'import sys; before = set(sys.modules); from tl_vs_scratch import main; '
                           'print(*set(sys.modules) - before)'], env=ENV, capture_output=True, text=True)
    assert set(done.stdout.split()) <= {'tl_vs_scratch', 'warnings', 're', 'enum', 'importlib'} | set(sys.stdlib_module_names), done.stdout
    assert not {'typer', 'importlib.metadata'} & set(done.stdout.split())


def signal_in(call, module, number=1): return 'import os' + before(call, module, number, 'os.kill(os.getpid(), 2)')


PHASES = { # when the signal comes, in a fork that has imported everything
    'options': (signal_in('use_cache', 'tl_vs_scratch.cli'), 0),
    'reading': (signal_in('load_task', 'tl_vs_scratch.answers.shown'), 0),
    'the database': (signal_in('Store.make_folder', STORE), 0),
    'excerpts': (signal_in('some_excerpts', 'tl_vs_scratch.studies.study'), 0),
    'a training': (signal_in('Training.advance', 'tl_vs_scratch.training.trial', 4), 2),
    'keeping': (signal_in('Store.add', STORE, 2), 1),
    'the table': (signal_in('Results.write_csv', 'tl_vs_scratch.studies.results'), 4),
}
PAGES = {
    'the answer': signal_in('summarise', 'tl_vs_scratch.answers.summary'),
    'the report': signal_in('template', 'tl_vs_scratch.answers.report'),
    'the report, half of which is written': half_text('report.html').replace('die()', 'os.kill(os.getpid(), 2)'),
    'twice': signal_in('Store.add', STORE, 2) + signal_in('summarise', 'tl_vs_scratch.answers.summary'), # what has come so far is written down
}


@pytest.mark.parametrize('phase', PHASES)
def test_ctrl_c_in_each_phase(phase, command, whole, tmp_path):
    code, done_then = PHASES[phase]
    check_stopped(command(*words(), cwd=place(tmp_path), first=TERSE + code))
    assert len(finished(tmp_path)) == done_then
    if phase == 'a training': check_goes_on(command, tmp_path, whole)


@pytest.mark.parametrize('phase', PAGES)
def test_ctrl_c_while_pages_are_written(phase, command, tmp_path):
    check_stopped(command(*words(QUICK), cwd=place(tmp_path), first=WATCHED + PAGES[phase]))
    assert len(finished(tmp_path)) == (1 if phase == 'twice' else 2) and not (tmp_path/'out/report.html').exists()


@pytest.mark.parametrize('seconds', [.5, 'first'])
def test_ctrl_c_with_workers(seconds, command, tmp_path):
    "A terminal sends it to all processes: to workers that import, too"
    pid = command.start(*words(jobs=2), cwd=place(tmp_path), first=TERSE)
    until(lambda: finished(tmp_path) if seconds == 'first' else 'at a time' in command.said(pid)[1])
    time.sleep(0 if seconds == 'first' else seconds)
    os.killpg(pid, signal.SIGINT)
    check_stopped(command.end(pid))


# --- two runs in one folder ---

def start_two(command, folder):
    "Two at once; that which trains, that which waits"
    two = [command.start(*words(), cwd=folder, first=TERSE) for _ in range(2)]
    waits = lambda pid: 'another run is at work' in command.said(pid)[1]
    until(lambda: any(map(waits, two)))
    return sorted(two, key=waits)


def test_two_runs_in_one_folder(command, whole, tmp_path):
    "The second waits, may be stopped while it does, and finds nothing to train"
    one, other = start_two(command, place(tmp_path))
    third = command.start(*words(), cwd=tmp_path, first=TERSE)
    until(lambda: 'another run' in command.said(third)[1])
    os.kill(third, signal.SIGINT)
    done = command.end(third)
    assert done.status == 130 and [o[:12] for o in done.sentences] == ['another run ', 'stopped; wha'], done
    done = [command.end(pid) for pid in (one, other)]
    assert [d.status for d in done] == [0, 0] and 'Trained 4 trials' in done[0].out and 'Nothing to train' in done[1].out, done
    assert done[1].sentences == ["another run is at work in 'out': waiting for it"]
    check_table(tmp_path, whole)
    check_steps(tmp_path, again=0)


def test_who_waits_goes_on_when_the_first_is_killed(command, whole, tmp_path):
    one, other = start_two(command, place(tmp_path))
    until(lambda: finished(tmp_path))
    os.kill(one, signal.SIGKILL)
    assert command.end(one).status == -signal.SIGKILL
    assert command.end(other).status == 0
    check_table(tmp_path, whole)
    check_steps(tmp_path, again=20)


def test_two_that_make_the_file_at_once(tmp_path):
    failed = []
    def make(path, start):
        start.wait()
        try: Store(path)
        except OSError as e: failed.append(e)
    for k in range(30):
        start = Barrier(4)
        threads = [Thread(target=make, args=(tmp_path/f'{k}.db', start)) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    assert not failed, failed[0]


# --- the clock ---

BACKWARDS = '''
import time, datetime
from tl_vs_scratch.studies import study
now = [time.time()]
def backwards():
    now[0] -= 3600
    return now[0]
time.time, time.time_ns = backwards, lambda: int(backwards()*1e9)
class Past(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return cls.fromtimestamp(backwards(), tz)
study.datetime = Past
'''


@pytest.mark.parametrize('budget', [[], ['--budget', '60s']])
def test_a_clock_that_goes_backwards(budget, command, whole, tmp_path):
    done = command(*words(), *budget, cwd=place(tmp_path), first=TERSE + BACKWARDS)
    assert done.status == 0 and not done.sentences and re.search(r'[1-9]\d* of \d+ \w+, 0:\d\d gone', done.err), done
    check_table(tmp_path, whole)
    at, = rows(tmp_path, 'SELECT min(at) FROM runs')[0]
    assert at < time.strftime('%Y-%m-%dT%H', time.gmtime(time.time() - 3600)), 'it did go backwards'


def test_what_was_written_is_seen_whatever_the_clock_says(tmp_path):
    store = Store(tmp_path/'study.db')
    before = store.stamp(), store.path.stat()
    store.add_mark('key', 0, [])
    os.utime(store.path, ns=(before[1].st_atime_ns, before[1].st_mtime_ns))
    assert store.path.stat().st_size == before[1].st_size and store.stamp() != before[0]


# --- a full disk ---

FULL = '''
import errno, sqlite3
from pathlib import Path
from safetensors import SafetensorError
def no_room(*args, **kw): raise SafetensorError('Error while serializing: I/O error: No space left on device (os error 28)')
def no_text(self, *args, **kw): raise OSError(errno.ENOSPC, 'No space left on device')
plain_connect = sqlite3.connect
def connect(*args, **kw):
    db = plain_connect(*args, **kw)
    db.execute('PRAGMA max_page_count = 10')
    return db
from tl_vs_scratch.training import anytime
'''
FULL_DISKS = {
    'for what is unfinished': ('anytime.save_file = no_room', 0, 'an unfinished training is not kept: '),
    'for the database': ('sqlite3.connect = connect', 1, 'database or disk is full); make room, then run it again'),
    'for the report': ('Path.write_text = no_text', 1, 'no room left on the disk; make some, then run it again'),
}


@pytest.mark.parametrize('what', FULL_DISKS)
def test_a_full_disk(what, command, whole, tmp_path):
    code, status, says = FULL_DISKS[what]
    labels = QUICK if 'report' in what else LABELS[:2]
    done = command(*words(labels), cwd=place(tmp_path), first=(WATCHED if 'report' in what else TERSE) + FULL + code)
    assert done.status == status and done.sentences and all(says in o for o in done.sentences), done
    if status: assert len(done.sentences) == 1
    check_goes_on(command, tmp_path, whole, labels)
