"`tl-vs-scratch` as a process of its own, without waiting for torch's import each time; and pictures to give it"

import atexit
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
ENV = dict(os.environ, PYTHONPATH=str(ROOT), COLUMNS='200', OMP_NUM_THREADS='1')

_PARENT = r'''
import json, os, signal, sys, traceback
import tl_vs_scratch as tlvs
made_by = tlvs.pretrained_learner # what a notebook has imported when it has a learner
from fastai.learner import Learner
print(json.dumps([o for o in ('fit', 'fit_one_cycle', 'lr_find', 'fine_tune', 'no_bar') if hasattr(Learner, o)]), flush=True)
from dataclasses import replace
import matplotlib.pyplot, sklearn.datasets, torch.utils.flop_counter, tl_vs_scratch.answers.report, tl_vs_scratch.answers.shown, tl_vs_scratch.cli
import tl_vs_scratch.training.trial
from tl_vs_scratch.studies.plan import PRESETS
quick = PRESETS['quick']
quick['settings'] = replace(quick['settings'], max_steps=20, size=32) # a preset that takes no time
quick.update(budget=None, strategies=('scratch', 'scratch:convnet', 'linear_probe', 'fine_tune'))
def work(call):
    os.chdir(call['cwd']); os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, 'out'), (2, 'err')): os.dup2(os.open(call[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ['tl-vs-scratch', *call['words']]
    exec(call['first'], {})
    try: tl_vs_scratch.cli.main(); status = 0
    except SystemExit as e: status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException: traceback.print_exc(); status = 1
    sys.stdout.flush(); sys.stderr.flush(); os._exit(status)
import gc
gc.collect()
gc.freeze() # no command need look through the imports
for line in sys.stdin:
    call = json.loads(line)
    if isinstance(call, int): print(os.waitstatus_to_exitcode(os.waitpid(call, 0)[1]), flush=True)
    else:
        pid = os.fork()
        if not pid: work(call)
        print(pid, flush=True)
'''


class Done(NamedTuple):
    "What a command left"
    status:int
    out:str
    err:str

    @property
    def sentences(self):
        "Lines on stderr that do not tell how far it is"
        told = r'^tl-vs-scratch: comparing on |^reading |^Task \'|left out \(|trainings? to do|, \d+:\d\d gone|at a time; for'
        return [o for o in re.split(r'[\r\n]+', self.err) if o.strip() and not re.search(told, o)]


class Commands:
    "Runs commands in forks of one process that has imported the library and made its `quick` preset tiny"
    def __init__(self, folder):
        self.folder, self.files, self._can = Path(folder), {}, None
        self.process = subprocess.Popen([sys.executable, '-c', _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=ENV)

    @property
    def learner_can(self):
        "What a `Learner` can do in a process that has imported no more of fastai than the library did to make one"
        self._can = self._can or json.loads(self.process.stdout.readline())
        return self._can

    def start(self, *words, cwd=None, first=''):
        "Start a command, in a process that does `first` before; the number of its process"
        self.learner_can # its line comes first
        files = {k: str(self.folder/f'{time.monotonic_ns()}.{k}') for k in ('out', 'err')}
        print(json.dumps(dict(words=[str(w) for w in words], cwd=str(cwd or self.folder), first=first, **files)), file=self.process.stdin, flush=True)
        pid = int(self.process.stdout.readline())
        self.files[pid] = files
        return pid

    def said(self, pid):
        "What a command has written to stdout and stderr so far"
        return tuple(path.read_text() if path.exists() else '' for path in map(Path, self.files[pid].values()))

    def end(self, pid):
        "Wait for it"
        print(pid, file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        return Done(status, *self.said(pid))

    def __call__(self, *words, cwd=None, first=''): return self.end(self.start(*words, cwd=cwd, first=first))

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def commands():
    "One for all tests of a session"
    res = Commands(tempfile.mkdtemp())
    atexit.register(res.close)
    return res


def stored(out):
    "The finished trials in a folder of results, by another reader than the library's"
    path = Path(out)/'study.db'
    if not path.exists(): return []
    with closing(sqlite3.connect(f'file:{path}?mode=ro', uri=True, timeout=10)) as db:
        try: return db.execute("SELECT settings_digest, n, seed, seconds, test FROM trials WHERE status != 'failed' ORDER BY seed").fetchall()
        except sqlite3.OperationalError: return [] # no table yet


def until(condition, seconds=120):
    "Wait for it, but not for ever"
    for _ in range(seconds*50):
        if res := condition(): return res
        time.sleep(.02)
    raise AssertionError(f'waited {seconds} s in vain')


def paint(path, brightness, rng, size=16):
    "A picture of noise around `brightness`"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(brightness, brightness + 60, (size, size, 3), dtype=np.uint8)).save(path)


def paint_folder(folder, classes=('<script>', 'cat'), each=12, size=16):
    "A folder of pictures that a network can tell apart"
    rng = np.random.default_rng(0)
    for k, name in enumerate(classes):
        for i in range(each): paint(Path(folder)/name/f'{i:03d}.png', 150*k//max(1, len(classes) - 1), rng, size)
    return Path(folder)
