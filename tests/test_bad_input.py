"What a person gives wrongly, as tables: each case says the exit status or the kind of the error, and what the one sentence must name"

import io
import json
import os
import re
import shutil
import sqlite3
import struct
import sys
import tempfile
import warnings
import zipfile
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import tl_vs_scratch as tlvs
from commands import Done, paint_folder, stored
from PIL import Image
from tl_vs_scratch import cli

RAW = re.compile(r"Errno|Traceback|codec can|NoneType|not iterable|Expecting|invalid literal|could not convert|unexpected keyword|object is not|not subscript"
                 r"|expected str, bytes|inhomogeneous|buffer size|cannot reshape|Warning|\x1b|[\r\n]|\(.*Error\)|pyarrow|KeyError|Parquet magic|deserializ")


class Case(NamedTuple):
    "One mistake: how to make it in an empty folder, the words of the command, its exit status, and what its sentence holds: the thing and the remedy"
    words:list
    status:int
    says:list
    make:object = None


def by_name(table): return pytest.mark.parametrize('case', table.values(), ids=list(table))


def told(text, says, most=600):
    "One sentence for a person, and no library's own words"
    text = str(text).strip()
    assert text and len(text) < most, text
    assert not RAW.search(text), text
    missing = [o for o in says if o not in text]
    assert not missing, f'{missing} not in: {text}'


def run(*words, cwd):
    "The command in this process, with streams as a terminal has them; anything but its exit status is a traceback, and fails the test"
    out, err = (io.TextIOWrapper(io.BytesIO(), 'utf-8', how, write_through=True) for how in ('strict', 'backslashreplace'))
    before = sys.argv, os.getcwd()
    try:
        sys.argv = ['tl-vs-scratch', *map(str, words)]
        os.chdir(cwd)
        with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings(record=True) as raw:
            warnings.simplefilter('ignore', DeprecationWarning)
            try: cli.main()
            except SystemExit as e: status = e.code or 0
        for o in raw: print(f'{o.category.__name__}: {o.message}', file=err)
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
    return Done(status, *(o.buffer.getvalue().decode() for o in (out, err)))


def check(case, folder):
    "Make the mistake, run the command, look at what it says"
    if case.make: case.make(folder)
    done = run(*case.words, cwd=folder)
    assert done.status == case.status, done
    if case.status: assert len(done.sentences) == 1 and done.err.count('tl-vs-scratch: ') <= 2, done.err
    if case.status: told(done.sentences[0], case.says)
    else: assert not RAW.search(done.err.replace('\n', ' ')) and all(o in done.out + done.err for o in case.says), done
    return done


def refused(call, kind, says):
    "A call of the library that raises one sentence of this kind"
    with pytest.raises(kind) as caught: call()
    assert type(caught.value) in (kind, *kind.__subclasses__()), repr(caught.value)
    told(caught.value, says)


COMPARE = ['--strategies', 'most_frequent', '--sizes', '8', '--seeds', '1', '--jobs', '1', '--out', 'out']
def compare(*words): return ['compare', *words, *COMPARE]


def photos(folder, classes=('cat', 'dog'), each=8, name='photos'): return paint_folder(folder/name, classes, each)


# --- folders ---

def one_more(*names):
    "A sound folder, and empty folders in it"
    def make(folder):
        photos(folder)
        for name in names: (folder/'photos'/name).mkdir(parents=True)
    return make


def links(*pairs):
    "A sound folder, and symbolic links in it"
    def make(folder):
        photos(folder)
        for name, target in pairs: (folder/'photos'/name).symlink_to(target, target_is_directory=True)
    return make


def nested(folder): photos(folder/'photos', name='photos')
def sides(folder):
    photos(folder, ['train/cat', 'train/dog', 'test/cat', 'test/fox'])
def pipe(folder):
    photos(folder)
    try: os.mkfifo(folder/'photos/cat/pipe.jpg')
    except (AttributeError, OSError): pytest.skip('no pipes here')
def named(name):
    "A class of this name with one picture, which is too few"
    def make(folder):
        photos(folder)
        try: paint_folder(folder/'photos', [name], 1, size=17)
        except OSError: pytest.skip('this file system has no such names')
    return make


FOLDERS = {
    'nowhere': Case(['doctor', 'in/no/place'], 2, ["there is no folder 'in/no/place'"]),
    'nowhere above': Case(['doctor', '../../nowhere'], 2, ["there is no folder '../../nowhere'"]),
    'mistyped': Case(['doctor', './photo'], 2, ["there is no folder './photo'", "Did you mean 'photos'?"], photos),
    'no name at all': Case(['doctor', ''], 2, ['no name', 'give a folder'], photos),
    'blanks for a name': Case(['doctor', '  '], 2, ['no name', 'give a folder'], photos),
    'a file': Case(['doctor', './file'], 2, ["'file' is a file", 'one sub-folder per class'], lambda d: (d/'file').write_text('a')),
    'empty': Case(['doctor', './empty'], 2, ["no pictures in 'empty' and no texts", 'class/*.jpg'], lambda d: (d/'empty').mkdir()),
    'one class': Case(['doctor', './photos'], 2, ['1 class (cat)', 'at least 2', 'one folder per class'], lambda d: photos(d, ['cat'])),
    'one empty class': Case(['doctor', './photos'], 2, ["class 'owl' has 0 pictures", 'at least 4'], one_more('owl')),
    'thousands of empty classes': Case(['doctor', './photos'], 2, ["class 'c0' has 0 pictures"], one_more(*(f'c{k}' for k in range(3000)))),
    'nothing but empty classes': Case(['doctor', './photos'], 2, ["no pictures in 'photos'", 'class/*.jpg'],
                                      lambda d: [(d/f'photos/c{k}').mkdir(parents=True) for k in range(2000)]),
    'a folder around it': Case(['doctor', './photos'], 2, ['1 class (photos)', 'one folder per class'], nested),
    'a class that is only tested': Case(['doctor', './photos'], 2, ["class 'fox' has 0 labelled pictures", 'at least 3'], sides),
    'hidden classes': Case(['doctor', './photos'], 2, ["no pictures in 'photos'"], lambda d: photos(d, ['.cat', '.dog'])),
    'too long a name': Case(['doctor', 'n'*300], 2, ['neither a folder nor a known task']),
    'a newline in a name': Case(['doctor', './photos'], 2, ["class 'two\\nlines' has 1 picture"], named('two\nlines')),
    'a terminal command in a name': Case(['doctor', './photos'], 2, ["class '\\x1b[31mred' has 1 picture"], named('\x1b[31mred')),
    'markup in a name': Case(['doctor', './photos'], 2, ["class '<script>alert(1)<' has 1 picture"], named('<script>alert(1)<')),
    'an emoji in a name': Case(['doctor', './photos'], 2, ["class '\U0001f98a' has 1 picture"], named('\U0001f98a')),
    '255 bytes in a name': Case(['doctor', './photos'], 2, [f"class '{'n'*255}' has 1 picture"], named('n'*255)),
    'bytes that are no text in a name': Case(['doctor', './photos'], 2, ["class '\\udcff' has 1 picture"], named('\udcff')),
    'a link to itself': Case(['doctor', './photos'], 0, ['Nothing'], links(('me', 'me'))),
    'a link to the folder above': Case(['doctor', './photos'], 0, ['12 labelled and 4 test pictures'], links(('cat/up', '..'))),
    'many links to the folders above': Case(['doctor', './photos'], 0, ['12 labelled and 4 test pictures'],
                                            links(*((f'{c}/up{k}', '..') for c in ('cat', 'dog') for k in range(9)))),
    'a broken link': Case(['doctor', './link'], 2, ["there is no folder './link'"], lambda d: (d/'link').symlink_to(d/'gone')),
    'a pipe among pictures': Case(['doctor', './photos'], 0, ['12 labelled and 4 test pictures'], pipe),
    'a way around': Case(['doctor', 'photos/../photos'], 0, ['12 labelled and 4 test pictures'], photos),
}


@by_name(FOLDERS)
def test_folders(case, tmp_path): check(case, tmp_path)


@contextmanager
def open_place():
    "A folder that a user without rights may use, as whom the block then runs"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o777)
        yield folder
        for o in [folder, *folder.rglob('*')]: os.chmod(o, 0o777)


@contextmanager
def without_rights(path, mode):
    "Within this block the path has this mode, and we are nobody where root would ignore it"
    root = os.geteuid() == 0
    os.chmod(path, mode)
    if root:
        try: os.seteuid(65534)
        except OSError: pytest.skip('root ignores permissions, and may be nobody else here')
    try:
        if os.access(path, os.W_OK | os.R_OK, effective_ids=os.access in os.supports_effective_ids): pytest.skip('permissions are ignored here')
        yield
    finally:
        if root: os.seteuid(0)
        os.chmod(path, 0o777)


FORBIDDEN = {
    'the folder': ('photos', 0o000, Case(['doctor', './photos'], 1, ["can not read", "photos'", 'permission'])),
    'a class': ('photos/dog', 0o000, Case(['doctor', './photos'], 1, ["can not read", "photos/dog'", 'permission'])),
    'where results go': ('.', 0o555, Case(compare('./photos'), 1, ["'out'", 'choose another'])),
    'where predictions go': ('.', 0o555, Case(['predict', 'model', 'photos'], 1, ["'predictions.csv'", 'choose another'])),
    'a model': ('model/model.json', 0o000, Case(['predict', 'model', 'photos'], 1, ["can not read", "model.json'", 'permission'])),
    'results': ('run/study.db', 0o000, Case(['report', 'run'], 1, ["run/study.db", 'another folder'])),
}


@by_name(FORBIDDEN)
def test_forbidden(case, study, model):
    path, mode, case = case
    with open_place() as folder:
        photos(folder)
        shutil.copytree(model, folder/'model')
        shutil.copytree(study, folder/'run')
        for o in folder.rglob('*'): os.chmod(o, 0o777)
        with without_rights(folder/path, mode): check(case, folder)
        assert stored(folder/'run') == stored(study) and not (folder/'out').exists() and not (folder/'predictions.csv').exists()


# --- what is shared ---

@pytest.fixture(scope='module')
def study(tmp_path_factory):
    "A finished study: one trial, of the rival that trains nothing"
    folder = tmp_path_factory.mktemp('study')
    photos(folder)
    done = run(*compare('./photos'), cwd=folder)
    assert done.status == 0, done
    assert len(stored(folder/'out')) == 1
    return folder/'out'


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "A network that was not trained, as `train` would keep it"
    from tl_vs_scratch.networks.bodies import create_backbone
    from tl_vs_scratch.training.models import About, Model, build_network, save_model
    about = About(task='toy', classes=['a', 'b'], medium=dict(name='pictures', size=24, mode='RGB', flip=True), size=24, strategy='scratch', body='convnet',
                  stages=create_backbone('convnet', pretrained=False).stage_names, example=[3, 24, 24])
    return save_model(tmp_path_factory.mktemp('model')/'model', Model(build_network(about), about))
