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


def one_sentence(done):
    "What is said on stderr besides how far it is, and what was left out of a table"
    said = [o for o in done.sentences if not o.startswith('left out: ')]
    assert len(said) == 1, done
    return said[0]


def check(case, folder):
    "Make the mistake, run the command, look at what it says"
    if case.make: case.make(folder)
    done = run(*case.words, cwd=folder)
    assert done.status == case.status, done
    if case.status: told(one_sentence(done), case.says)
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
    'a broken link': Case(['doctor', './link'], 2, ["there is no folder './link'"], lambda d: (d/'link').symlink_to(d/'gone')),
}


@by_name(FOLDERS)
def test_folders(case, tmp_path): check(case, tmp_path)


USED = {
    'a link to itself': ('photos', links(('me', 'me'))),
    'a link to the folder above': ('photos', links(('cat/up', '..'))),
    'many links to the folders above': ('photos', links(*((f'{c}/up{k}', '..') for c in ('cat', 'dog') for k in range(9)))),
    'a pipe among pictures': ('photos', pipe),
    'a way around': ('photos/../photos', photos),
    'folders in a class': ('photos', lambda d: photos(d, ['cat/tabby/old', 'dog'])),
    'a wide name of a class': ('photos', lambda d: photos(d, ['\U0001f98a', '<script>'])),
    'names that are no text': ('photos', lambda d: photos(d, ['\udcff', 'dog'])),
}


@by_name(USED)
def test_folders_that_are_read(case, tmp_path):
    "Each picture once, whatever leads to it"
    path, make = case
    try: make(tmp_path)
    except (OSError, UnicodeError): pytest.skip('this file system has no such names')
    assert repr(tlvs.load_task(tmp_path/path)).endswith('2 classes, 12 labelled and 4 test pictures')


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
    'the folder': ('photos', 0o000, Case(['doctor', './photos'], 1, ["cannot read", "photos'", 'permission'])),
    'a class': ('photos/dog', 0o000, Case(['doctor', './photos'], 1, ["cannot read", "photos/dog'", 'permission'])),
    'where results go': ('.', 0o555, Case(compare('./photos'), 1, ["'out'", 'choose another'])),
    'where predictions go': ('.', 0o555, Case(['predict', 'model', 'photos/cat'], 1, ["'predictions.csv'", 'choose another'])),
    'a model': ('model/model.json', 0o000, Case(['predict', 'model', 'photos'], 1, ["model/model.json'", 'permission denied', 'change'])),
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


# --- pictures ---

LEFT, RIGHT = (200, 40, 40), (40, 40, 200)


def halves(mode='RGB', size=(40, 40), left=LEFT, right=RIGHT):
    "A picture whose left half is red and whose right half is blue; in grey, dark and light"
    rows = np.zeros((size[1], size[0], 3), np.uint8)
    rows[:, :size[0]//2], rows[:, size[0]//2:] = left, right
    return Image.fromarray(rows).convert(mode)


def greys(dtype, scale=1): return Image.fromarray((np.asarray(halves('L', left=(60,)*3, right=(220,)*3), float)*scale).astype(dtype))


def encoded(img, kind, **kwargs):
    buffer = io.BytesIO()
    img.save(buffer, kind, **kwargs)
    return buffer.getvalue()


def turned():
    "Lies on its side, and says so"
    exif = Image.Exif()
    exif[0x112] = 8
    return encoded(halves().rotate(-90), 'PNG', exif=exif)


def see_through(mode):
    "Left transparent, right blue"
    img = halves('RGBA')
    img.paste((0, 0, 0, 0), (0, 0, 20, 40))
    return img.convert(mode)


def palette():
    img = halves('P', left=(0, 0, 0))
    return encoded(img, 'GIF', transparency=img.getpixel((0, 0)))


def claims(side):
    "A small PNG that says it is enormous"
    from zlib import crc32
    data = bytearray(encoded(halves(), 'PNG'))
    data[16:24] = struct.pack('>II', side, side)
    data[29:33] = struct.pack('>I', crc32(data[12:29]))
    return bytes(data)


GREY = (60,)*3, (220,)*3
SEEN = { # what is in the file -> the two halves as a person sees them
    'one pixel': (lambda: encoded(Image.new('RGB', (1, 1), LEFT), 'PNG'), (LEFT, LEFT)),
    '20,000 pixels wide': (lambda: encoded(Image.new('RGB', (20_000, 1), LEFT), 'PNG'), (LEFT, LEFT)),
    '20,000 pixels high': (lambda: encoded(Image.new('RGB', (1, 20_000), LEFT), 'PNG'), (LEFT, LEFT)),
    'an animation': (lambda: encoded(halves(), 'GIF', save_all=True, append_images=[Image.new('RGB', (40, 40))]*3), (LEFT, RIGHT)),
    'an animation in PNG': (lambda: encoded(halves(), 'PNG', save_all=True, append_images=[Image.new('RGB', (40, 40))]), (LEFT, RIGHT)),
    'inks': (lambda: encoded(halves('CMYK'), 'JPEG', quality=95), (LEFT, RIGHT)),
    '16 bits': (lambda: encoded(greys('uint16', 257), 'PNG'), GREY),
    '16 bits in TIFF': (lambda: encoded(greys('uint16', 257), 'TIFF'), GREY),
    'fractions of 1': (lambda: encoded(greys('float32', 1/255), 'TIFF'), GREY),
    'fractions of 255': (lambda: encoded(greys('float32'), 'TIFF'), GREY),
    'fractions of 65,535': (lambda: encoded(greys('float32', 257), 'TIFF'), GREY),
    'alpha': (lambda: encoded(see_through('RGBA'), 'PNG'), ((255,)*3, RIGHT)),
    'grey with alpha': (lambda: encoded(see_through('LA'), 'PNG'), ((255,)*3, (58,)*3)),
    'a palette with a transparent colour': (palette, ((255,)*3, RIGHT)),
    'on its side': (turned, (LEFT, RIGHT)),
    'one bit': (lambda: encoded(halves('1', left=(0,)*3, right=(255,)*3), 'PNG'), ((0,)*3, (255,)*3)),
    'another ending': (lambda: encoded(halves(), 'BMP'), (LEFT, RIGHT)),
}


@by_name(SEEN)
def test_odd_pictures_are_seen_as_a_person_sees_them(case, tmp_path):
    "From a folder, as bytes in memory, and by fastai's loader"
    make, colours = case
    photos(tmp_path)
    (tmp_path/'photos/cat/odd.jpg').write_bytes(make())
    task = tlvs.from_folder(tmp_path/'photos', size=32)
    assert task.dropped.empty and 'cat/odd.jpg' in task.ids
    for source in (tmp_path/'photos/cat/odd.jpg', make()):
        seen = np.asarray(task.medium.input_block(task, 32).type_tfms[0](source), int)
        assert seen.shape == (32, 32, 3)
        for part, colour in zip((seen[4:28, 4:12], seen[4:28, 20:28]), colours): assert abs(part.mean((0, 1)) - colour).max() <= 12, part[0, 0]


UNSEEN = {
    'nothing': lambda: b'',
    'words': lambda: b'Dear diary, I am no picture\n',
    'half of a JPEG': lambda: encoded(halves(size=(400, 400)), 'JPEG')[:900],
    'half of a PNG': lambda: encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)), 'PNG')[:2000],
    'a bomb': lambda: claims(60_000),
    'a page': lambda: b'<!DOCTYPE html><script>alert(1)</script>',
    'a drawing of lines': lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
}


@by_name(UNSEEN)
def test_pictures_that_can_not_be_read(case, tmp_path, model):
    "Left out of a task; in predictions a row that says so, by the command and by the model; and the others keep theirs"
    photos(tmp_path)
    (tmp_path/'photos/cat/bad.jpg').write_bytes(case())
    assert dict(tlvs.from_folder(tmp_path/'photos').dropped.values) == {'cat/bad.jpg': 'cannot be read'}
    done = run('predict', model, 'photos', cwd=tmp_path)
    assert done.status == 0 and 'left out: photos/cat/bad.jpg: cannot be read' in done.err and not RAW.search(done.err.replace('\n', ' ')), done
    table = pd.read_csv(tmp_path/'predictions.csv', keep_default_na=False)
    assert len(table) == 17 and (table.problem != '').sum() == 1 and (table['class'] == '').sum() == 1
    said = tlvs.load_model(model).predict([case(), tmp_path/'photos/cat/000.png'], progress=False)
    assert said.problem.tolist() == ['cannot be read', ''] and said['class'].isna().tolist() == [True, False]


# --- texts and tables ---

def rows(n=8, classes='ab', text='the {c} number {i} of them'): return [(text.format(c=c, i=i), c) for c in classes for i in range(n)]


def csv_of(lines, header='text,label', encoding='utf-8', name='t.csv', end=''):
    def make(folder):
        text = '\n'.join([header, *(','.join(line) for line in lines)]) + '\n' + end
        (folder/name).write_bytes(text.encode(encoding))
    return make


def written(name, data): return lambda folder: (folder/name).write_bytes(data)
def json_lines(lines): return written('t.jsonl', '\n'.join(lines).encode())


TABLES = {
    'nowhere': Case(['doctor', 'gone.csv'], 2, ["there is no file 'gone.csv'"]),
    'nothing in it': Case(['doctor', 't.csv'], 2, ["'t.csv' has no column 'text'", 'its columns are none'], written('t.csv', b'')),
    'nothing but a mark': Case(['doctor', 't.csv'], 2, ["'t.csv' has no column 'text'"], written('t.csv', b'\xef\xbb\xbf')),
    'nothing but a header': Case(['doctor', 't.csv'], 2, ['0 classes (none)', 'at least 2', 'column of labels'], csv_of([])),
    'a column missing': Case(['doctor', 't.csv', '--label', 'lable'], 2, ["no column 'lable'", 'text, label', "Did you mean 'label'?"], csv_of(rows())),
    'a column twice': Case(['doctor', 't.csv'], 2, ["two columns 'label'", 'rename one'], csv_of([(*o, 'x') for o in rows()], 'text,label,label')),
    'one class': Case(['doctor', 't.csv'], 2, ['1 class (a)', 'column of labels'], csv_of(rows(classes='a'))),
    'one example of a class': Case(['doctor', 't.csv'], 2, ["class 'b' has 1 text", 'at least 4'], csv_of([*rows(classes='a'), ('alone', 'b')])),
    'copies with other labels': Case(['doctor', 't.csv'], 2, ["class 'a' has 0 texts (8 left out: same text under another label)"],
                                     csv_of(rows(text='the number {i} of them'))),
    'white space': Case(['doctor', 't.csv'], 2, ['0 classes'], csv_of([('   ', c) for c in 'ab']*8)),
    'labels that are no numbers': Case(['doctor', 't.csv'], 2, ['0 classes'], csv_of([(f'text {i}', '') for i in range(9)])),
    'a quotation mark that stays open': Case(['doctor', 't.csv'], 2, ["row 3 of 't.csv' is never closed", 'close it'],
                                             csv_of([*rows()[:2], ('"oh', 'a'), *rows()])),
    'columns of a folder': Case(['doctor', 'photos', '--text', 'words'], 2, ['columns (text) are of a table', "'photos' is none"], photos),
    'a side that is none': Case(['doctor', 't.csv', '--split', 'side'], 2, ["'maybe'", 'train, valid and test'],
                                csv_of([(*o, 'maybe') for o in rows()], 'text,label,side')),
    'a class only in the test': Case(['doctor', 't.csv', '--split', 'side'], 2, ["class 'b' has 0 labelled texts", 'at least 3'],
                                     csv_of([(t, c, 'test' if c == 'b' else 'train') for t, c in rows()], 'text,label,side')),
    'a group on both sides': Case(['doctor', 't.csv', '--split', 'side', '--group', 'who'], 2,
                                  ["class 'a' has 0 labelled texts (4 left out: others of its group are in the test)"],
                                  csv_of([(*o, 'test' if i % 2 else 'train', 'ann') for i, o in enumerate(rows())], 'text,label,side,who')),
    'one group': Case(['doctor', 't.csv', '--group', 'who'], 2, ['1 group', 'say which examples are the test'],
                      csv_of([(*o, 'ann') for o in rows()], 'text,label,who')),
    'a broken Parquet file': Case(['doctor', 't.parquet'], 2, ["'t.parquet' is damaged or no Parquet file", 'write it again'], written('t.parquet', b'PAR1 no')),
    'no JSON': Case(['doctor', 't.jsonl'], 2, ["'t.jsonl' has no column 'text'"], json_lines(['{', 'x', '[1]'])),
    'JSON in a thousand folds': Case(['doctor', 't.jsonl'], 2, ["'t.jsonl' has no column 'text'"], json_lines(['['*100_000])),
    'pictures that are gone': Case(['doctor', 't.csv'], 2, ['16 of 17 pictures cannot be read', 'repair or remove'],
                                   lambda d: (csv_of([*((f'{c}{i}.png', c) for c in 'ab' for i in range(8)), ('photos/cat/000.png', 'a')])(d), photos(d))),
}


@by_name(TABLES)
def test_tables(case, tmp_path): check(case, tmp_path)


def parquet(**columns):
    def make(folder):
        pytest.importorskip('pyarrow')
        pd.DataFrame(columns).to_parquet(folder/'t.parquet')
    return make


WORDS = [o for o, _ in rows()]
READ = { # a table that is odd and can be read -> its classes, and how many rows are left out
    'UTF-16': ('t.csv', csv_of(rows(), encoding='utf-16'), ['a', 'b'], 0),
    'UTF-16, the other way': ('t.csv', lambda d: (d/'t.csv').write_bytes(b'\xfe\xff' + 'text,label\n'.encode('utf-16-be') + ''.join(f'{t},{c}\n' for t, c in rows()).encode('utf-16-be')), ['a', 'b'], 0),
    'a mark in front': ('t.csv', csv_of(rows(), encoding='utf-8-sig'), ['a', 'b'], 0),
    'Western letters': ('t.csv', csv_of(rows(classes='äé'), encoding='cp1252'), ['ä', 'é'], 0),
    'ragged rows': ('t.csv', csv_of([*rows(), ('too', 'many', 'cells'), ('few',)]), ['a', 'b'], 2),
    'carriage returns': ('t.csv', lambda d: (d/'t.csv').write_bytes('\r'.join(['text,label', *map(','.join, rows())]).encode()), ['a', 'b'], 0),
    'null bytes': ('t.csv', csv_of(rows(), end='a\0b,a\n'), ['a', 'b'], 0),
    '100,000 characters': ('t.csv', csv_of([*rows(), ('long '*20_000, 'a')]), ['a', 'b'], 0),
    'white space': ('t.csv', csv_of([*rows(), (' \t ', 'a'), ('no label', ' ')]), ['a', 'b'], 2),
    'labels as fractions': ('t.parquet', parquet(text=WORDS, label=[1.]*8 + [10.]*8), ['1', '10'], 0),
    'labels that are no numbers': ('t.parquet', parquet(text=[*WORDS, 'one', 'more'], label=[1.]*8 + [2.]*8 + [np.nan, None]), ['1', '2'], 2),
    'digits that are no numbers': ('t.csv', csv_of(rows(classes='²٣')), ['٣', '²'], 0),
    'lists in a column': ('t.parquet', parquet(text=[[o, 'x'] for o in WORDS], label=list('a'*8 + 'b'*8)), ['a', 'b'], 0),
    'half of a letter': ('t.jsonl', json_lines([json.dumps(dict(text=f'{o} \ud800', label=c)) for o, c in rows()]), ['a', 'b'], 0),
    'a huge imbalance': ('t.csv', csv_of([*rows(400, 'a'), *rows(4, 'b')]), ['a', 'b'], 0),
    'columns to spare, twice': ('t.csv', csv_of([(*o, 'x', 'y') for o in rows()], 'text,label,note,note'), ['a', 'b'], 0),
}


@by_name(READ)
def test_tables_that_are_read(case, tmp_path):
    "And their texts make batches"
    name, make, classes, left = case
    make(tmp_path)
    task = tlvs.load_task(tmp_path/name)
    assert task.classes == classes and len(task.dropped) == left
    assert len(task.dls(task.min_labels, bs=4).train.one_batch()[0])


def text_files(**files):
    def make(folder):
        for name, data in files.items():
            for c in 'ab':
                for i in range(8):
                    path = folder/f'notes/{c}/{name}{i}.txt'
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data(c, i) if callable(data) else data)
    return make


NOTES = {
    'blank texts': Case(['doctor', 'notes'], 2, ['cannot be read', 'repair or remove'], text_files(blank=b' \n ')),
    'blank texts among others': Case(['predict', 'model', 'notes'], 2, ["no pictures in 'notes'"], text_files(x=lambda c, i: f'{c}{i}'.encode())),
}


@by_name(NOTES)
def test_folders_of_texts(case, tmp_path, model):
    shutil.copytree(model, tmp_path/'model')
    check(case, tmp_path)


def test_text_files_of_other_encodings(tmp_path):
    for encoding in ('utf-16', 'utf-8-sig', 'cp1252'):
        text_files(x=lambda c, i: f'{c} café {i}'.encode(encoding))(tmp_path)
        task = tlvs.load_task(tmp_path/'notes')
        from tl_vs_scratch.tasks.pieces import read_text
        assert {read_text(o) for o in task.sources} == {f'{c} café {i}' for c in 'ab' for i in range(8)}


# --- what is in memory ---

SQUARE = np.zeros((12, 12, 3), np.uint8)
def squares(n=16): return [SQUARE + np.uint8(9*i) for i in range(n)]


LABELS = ['a']*8 + ['b']*8
MEMORY = { # examples, labels -> the error's kind and what it says
    'no examples': (lambda: ([], []), ValueError, ['there is no example', 'the list is empty']),
    'nothing': (lambda: (None, LABELS), TypeError, ['examples should be a list', 'not None']),
    'a number': (lambda: (3, LABELS), TypeError, ['examples should be a list', 'not one int']),
    'one text': (lambda: ('one text', LABELS), TypeError, ['examples should be a list', 'not one str']),
    'a dictionary': (lambda: (dict(a=SQUARE), ['a']), TypeError, ['examples should be a list', 'not one dict']),
    'a table': (lambda: (pd.DataFrame(dict(x=WORDS, y=WORDS)), LABELS), ValueError, ['x, y', 'give one of them']),
    'no labels': (lambda: (squares(), None), TypeError, ['labels should be a list', 'not None']),
    'labels that lack': (lambda: (squares(), LABELS[:-1]), ValueError, ['16 examples and 15 labels', 'each example needs one']),
    'labels that are no numbers': (lambda: (squares(), [1., np.nan]*8), ValueError, ['8 of 16 examples without a label', 'position 1', 'leave them out']),
    'labels that are None': (lambda: (squares(), [*LABELS[:-1], None]), ValueError, ['1 of 16 examples without a label', 'position 15']),
    'fractions': (lambda: ([o/255 for o in squares()], LABELS), ValueError, ['bytes from 0 to 255', "astype('uint8')"]),
    'channels first': (lambda: ([o.transpose(2, 0, 1) for o in squares()], LABELS), ValueError, ['(3, 12, 12) is no picture', '(height, width, 3)']),
    'no pixels': (lambda: ([SQUARE[:0]]*16, LABELS), ValueError, ['(0, 12, 3) is no picture']),
    'rows of different lengths': (lambda: ([[[1, 2], [3]]]*16, LABELS), ValueError, ['rows of different lengths', '(height, width)']),
    'nothing for a picture': (lambda: ([*squares(15), None], LABELS), ValueError, ['is no picture']),
    'damaged bytes': (lambda: ([b'no picture']*16, LABELS), ValueError, ['16 of 16 pictures cannot be read']),
    'files that are gone': (lambda: ([f'{i}.png' for i in range(3)] + [SQUARE], list('abab')), ValueError, ['3 of 4 pictures cannot be read']),
    'the same picture': (lambda: ([SQUARE]*16, LABELS), ValueError, ["class 'a' has 0 pictures", 'same picture under another label']),
    'one label each': (lambda: (squares(), [str(i) for i in range(16)]), ValueError, ["class '0' has 1 picture", 'at least 4']),
    'one class': (lambda: (squares(), ['a']*16), ValueError, ['1 class (a)', 'at least 2']),
}


def test_what_belongs_together_may_be_an_array():
    groups = np.arange(16)//2
    with_array, with_list = (tlvs.from_examples(squares(), LABELS, groups=o) for o in (groups, list(groups)))
    assert with_array.fingerprint == with_list.fingerprint and with_array.groups.tolist() == list(groups)
    for name, values in dict(groups=groups[:-1], is_test=[True]).items():
        refused(lambda: tlvs.from_examples(squares(), LABELS, **{name: values}), ValueError, [f'{name} has {len(values)} values for 16 examples'])


@by_name(MEMORY)
def test_what_is_in_memory(case):
    make, kind, says = case
    refused(lambda: tlvs.from_examples(*make()), kind, says)


TASKS = {
    'nothing': (lambda: None, TypeError, ['None is no task', 'give a folder']),
    'a number': (lambda: 12, TypeError, ['int is no task', 'give a folder']),
    'a list': (lambda: ['a', 'b'], TypeError, ['list is no task', 'from_examples']),
    'an array': (lambda: SQUARE, TypeError, ['ndarray is no task', 'from_examples']),
    'a table': (lambda: pd.DataFrame(dict(text=['a'])), TypeError, ['DataFrame is no task', 'from_frame']),
    'a zero byte': (lambda: 'pho\0tos', ValueError, ['neither a folder nor a known task']),
    'a mistyped task': (lambda: 'emojy', ValueError, ["'emojy'", "Did you mean 'emoji'?"]),
    'nobody at home': (lambda: '~nobody_of_this_name/photos', ValueError, ["there is no folder '~nobody_of_this_name/photos'"]),
}


@by_name(TASKS)
def test_what_is_no_task(case):
    make, kind, says = case
    refused(lambda: tlvs.load_task(make()), kind, says)


def dataset(**columns):
    datasets = pytest.importorskip('datasets')
    return datasets.Dataset.from_dict(columns)


def parts(**found):
    datasets = pytest.importorskip('datasets')
    return datasets.DatasetDict(found)


DATASETS = {
    'no rows': (lambda: dataset(text=[], label=[]), {}, ValueError, ['no row of the dataset has a class']),
    'no parts': (lambda: parts(), {}, ValueError, ['holds no part', 'train']),
    'no column of texts': (lambda: dataset(words=WORDS, label=LABELS), {}, ValueError, ['which column', 'words, label']),
    'no column of classes': (lambda: dataset(text=WORDS), {}, ValueError, ['which column', 'classes', 'text']),
    'a mistyped column': (lambda: dataset(text=WORDS, label=LABELS), dict(text='txt'), ValueError, ["no column 'txt'", "Did you mean 'text'?"]),
    'a side for a column': (lambda: dataset(text=WORDS, label=LABELS), dict(split='label'), ValueError, ['text and label may be named, not split']),
    'parts that differ': (lambda: parts(train=dataset(text=WORDS, label=LABELS), test=dataset(text=WORDS)), {}, ValueError, ["part 'test'", "no column 'label'"]),
    'labels that are missing': (lambda: dataset(text=WORDS, label=[None]*16), {}, ValueError, ['no row of the dataset has a class']),
    'labels that are no numbers': (lambda: dataset(text=WORDS, label=[float('nan')]*16), {}, ValueError, ['no row of the dataset has a class']),
    'texts that are missing': (lambda: dataset(text=[None]*8 + WORDS[8:], label=LABELS), {}, ValueError, ['8 of 16 texts cannot be read']),
    'a stream': (lambda: dataset(text=WORDS, label=LABELS).to_iterable_dataset(), {}, ValueError, ['streamed', 'without streaming=True']),
    'one class': (lambda: dataset(text=WORDS, label=['a']*16), {}, ValueError, ['1 class (a)']),
}


@by_name(DATASETS)
def test_datasets(case):
    make, columns, kind, says = case
    data = make()
    refused(lambda: tlvs.load_task(data, **columns), kind, says)


def test_a_dataset_with_a_picture_missing():
    datasets = pytest.importorskip('datasets')
    cells = [dict(bytes=encoded(Image.fromarray(o), 'PNG'), path=None) for o in squares()] + [None, dict(bytes=b'no', path=None)][:1]
    data = datasets.Dataset.from_dict(dict(image=cells, label=[*LABELS, 'a']), features=datasets.Features(image=datasets.Image(), label=datasets.Value('string')))
    task = tlvs.load_task(data)
    assert len(task) == 16 and task.dropped.reason.tolist() == ['cannot be read']


# --- predictions ---

PREDICTED = {
    'nothing': (lambda: None, TypeError, ['pictures should be a list', 'not None']),
    'a number': (lambda: 7, TypeError, ['pictures should be a list', 'int']),
    'a list of nothing': (lambda: [None], ValueError, ['is no picture']),
    'an empty list': (lambda: [], ValueError, ['no pictures to read', 'the list is empty']),
    'no name': (lambda: '', ValueError, ['no name was given', 'give a folder']),
    'a batch': (lambda: np.zeros((5, 12, 12, 3), np.uint8), ValueError, ['(5, 12, 12, 3) is no picture']),
    'fractions': (lambda: np.zeros((12, 12, 3)), ValueError, ['bytes from 0 to 255']),
    'fractions in a list': (lambda: [SQUARE, np.zeros((12, 12), 'float32')], ValueError, ['bytes from 0 to 255']),
    'a long name': (lambda: 'n'*300, OSError, ['n'*300, 'there is no file or folder']),
}


@by_name(PREDICTED)
def test_what_can_not_be_predicted(case, model):
    make, kind, says = case
    refused(lambda: tlvs.load_model(model).predict(make(), progress=False), kind, says)


PREDICT = {
    'a folder without a model': Case(['predict', 'photos', 'photos'], 1, ["no model in 'photos'", 'model.json'], photos),
    'no such files': Case(['predict', 'model', 'photo'], 1, ["there is no file or folder 'photo'", "Did you mean 'photos'?"], photos),
    'an empty folder': Case(['predict', 'model', 'empty'], 2, ["no pictures in 'empty'"], lambda d: (d/'empty').mkdir()),
    'a table for a picture': Case(['predict', 'model', 't.csv'], 1, ['none of the pictures could be read'], csv_of(rows())),
    'written to a folder': Case(['predict', 'model', 'photos', '--out', 'photos'], 1, ["'photos' is a folder", 'give the name of a file'], photos),
    'written below a file': Case(['predict', 'model', 'photos', '--out', 'photos/cat/000.png/p.csv'], 1, ['000.png', 'choose another place'], photos),
    'a page in place of a folder': Case(['predict', 'model', 'photos', '--review', 'photos/cat'], 1, ["'photos/cat' is a folder"], photos),
}


@by_name(PREDICT)
def test_predict(case, tmp_path, model):
    shutil.copytree(model, tmp_path/'model')
    check(case, tmp_path)
    assert case.says[0].startswith('none') or not (tmp_path/'predictions.csv').exists(), 'it stops before it predicts'


def test_names_that_are_no_text_are_predicted(tmp_path, model):
    photos(tmp_path)
    try: (tmp_path/'photos/cat/000.png').rename(tmp_path/'photos/cat/\udcff.png')
    except (OSError, UnicodeError): pytest.skip('this file system has no such names')
    done = run('predict', model, 'photos', '--review', 'review.html', cwd=tmp_path)
    assert done.status == 0, done
    assert len(pd.read_csv(tmp_path/'predictions.csv')) == 16


# --- arguments ---

def argued(*words, strategies='most_frequent', sizes='8'): return ['compare', './photos', '--strategies', strategies, '--sizes', sizes, '--seeds', '1', '--jobs', '1', '--out', 'out', *words]


ARGUMENTS = {
    'more labels than there are': Case(argued(sizes='8,5000'), 2, ['n=5000', '12 labelled pictures', 'choose n <= 12']),
    'no labels': Case(argued(sizes='0'), 2, ['n=0 is too few', 'at least 6 labels']),
    'fewer labels than none': Case(argued(sizes='-8'), 2, ['n=-8 is too few', 'at least 6 labels']),
    'half a label': Case(argued(sizes='8.5'), 2, ["'8.5' is not a list of whole numbers", 'such as 50,100']),
    'a word for a number': Case(argued(sizes='many'), 2, ["'many' is not a list of whole numbers"]),
    'no sizes': Case(argued(sizes=','), 2, ['--sizes is an empty list']),
    'no strategies': Case(argued(strategies=' , '), 2, ['--strategies is an empty list']),
    'a mistyped strategy': Case(argued(strategies='linear_prob'), 2, ["'linear_prob'", "Did you mean 'linear_probe'?"]),
    'a mistyped rival': Case(argued(strategies='most_frequentt'), 2, ["'most_frequentt'", 'choose from']),
    'a mistyped body': Case(argued('--body', 'resnet81', strategies='scratch'), 2, ["'resnet81'"]),
    'a body twice': Case(argued('--body', 'resnet18,resnet18', strategies='scratch'), 2, ['named twice', 'resnet18']),
    'a mistyped score': Case(argued('--score', 'log_los'), 2, ["'log_los'", "Did you mean 'log_loss'?"]),
    'a budget of words': Case(argued('--budget', 'a while'), 2, ["budget 'a while'", '90s, 5m or 1h30m']),
    'a budget of nothing': Case(argued('--budget', '0s'), 2, ["budget '0s'", '90s, 5m or 1h30m']),
    'a budget below nothing': Case(argued('--budget=-5m'), 2, ["budget '-5m'", '90s, 5m or 1h30m']),
    'a budget in parsecs': Case(argued('--budget', '12 parsecs'), 2, ["budget '12 parsecs'"]),
    'a budget without end': Case(argued('--budget', 'inf'), 2, ["budget 'inf'"]),
    'an empty budget': Case(argued('--budget', ''), 2, ["budget ''"]),
    'a margin without end': Case(argued('--margin', 'inf'), 2, ['margin must be a number from 0 up']),
    'too small pictures': Case(argued('--size', '5'), 2, ['size must be from 8 to 4,096 pixels a side, not 5']),
    'too large pictures': Case(argued('--size', '1000000'), 2, ['size must be from 8 to 4,096 pixels a side']),
    'weights that are gone': Case(argued('--weights', 'w.safetensors', strategies='fine_tune'), 1, ["no file of weights 'w.safetensors'"]),
    'weights with two bodies': Case(argued('--weights', 'w.safetensors', '--body', 'resnet18,resnet34', strategies='fine_tune'), 2, ['one body']),
    'results in a file': Case([*argued(), '--out', 'photos/cat/000.png'], 1, ["'photos/cat/000.png'", 'choose another folder']),
    'results below a file': Case([*argued(), '--out', 'photos/cat/000.png/deeper'], 1, ["000.png/deeper'", 'choose another folder']),
    'results in a too long name': Case([*argued(), '--out', 'n'*300], 1, ['n'*300, 'choose another folder']),
}


@by_name(ARGUMENTS)
def test_arguments(case, tmp_path):
    photos(tmp_path)
    check(case, tmp_path)
    assert not list(tmp_path.rglob('results.csv')), 'it stops before it trains'


USAGE = { # what the parser of options says
    'no seeds': (argued('--seeds', '0'), '--seeds'), 'seeds in words': (argued('--seeds', 'three'), '--seeds'), 'no jobs': (argued('--jobs', '0'), '--jobs'),
    'a margin below nothing': (argued('--margin=-1'), '--margin'), 'a margin that is no number': (argued('--margin', 'nan'), '--margin'),
    'a size of nothing': (argued('--size', '0'), '--size'),
    'a mistyped option': (argued('--sedes', '3'), '--se'), 'a mistyped preset': (argued('--preset', 'fast'), 'quick'),
    'no labels for a rule': (['rules', '--labels', '0'], '--labels'), 'a rule without labels': (['rules'], '--labels'),
    'one class for a rule': (['rules', '--labels', '9', '--classes', '1'], '--classes'), 'no folder': (['report'], 'DIR'),
}


@by_name(USAGE)
def test_usage(case, tmp_path):
    words, says = case
    done = run(*words, cwd=tmp_path)
    assert done.status == 2 and not done.out and 'Error: ' in done.err and says in done.err and 'Traceback' not in done.err


CALLED = {
    'a mistyped option': (dict(max_step=3), TypeError, ["no option 'max_step'", "Did you mean 'max_steps'?"]),
    'no steps': (dict(max_steps=0), ValueError, ['max_steps must be above 0']),
    'no seeds': (dict(seeds=0), ValueError, ['seeds must be at least 1']),
    'fewer seeds than none': (dict(seeds=-1), ValueError, ['seeds must be at least 1']),
    'no sizes': (dict(sizes=[]), ValueError, ['sizes is empty', 'give some']),
    'no number of sizes': (dict(sizes=0), ValueError, ['sizes must be at least 1', 'a list']),
    'a margin that is no number': (dict(margin=float('nan')), ValueError, ['margin must be a number from 0 up']),
    'no jobs': (dict(jobs=0), ValueError, ['jobs must be at least 1']),
    'no preset': (dict(preset='fast'), ValueError, ["unknown preset 'fast'", 'quick, standard, exhaustive']),
    'a budget below nothing': (dict(budget=-3), ValueError, ["budget '-3'", '90s']),
    'no batch': (dict(bs=0), ValueError, ['bs must be above 0']),
    'another arithmetic': (dict(precision='float8'), ValueError, ["unknown precision 'float8'", 'float32']),
    'no strategies': (dict(strategies=[]), ValueError, ['no strategies']),
    'two strategies of one name': (dict(strategies=['scratch', tlvs.Strategy('scratch', 'random', (tlvs.Phase(train='all', lr=1e-5),))]), ValueError,
                                   ["two strategies are called 'scratch'", 'a name of its own']),
    'too many labels': (dict(sizes=[10**6]), ValueError, ['n=1000000', 'choose n <= 12']),
}


@by_name(CALLED)
def test_calls(case, tmp_path):
    options, kind, says = case
    photos(tmp_path)
    known = dict(strategies=['most_frequent'], sizes=[8], out=tmp_path/'out', progress=False)
    refused(lambda: tlvs.compare(tmp_path/'photos', **(known | options)), kind, says)


def test_more_jobs_than_trials(study, tmp_path):
    "And than cores: nothing is started where nothing is to be done"
    shutil.copytree(study.parent, tmp_path/'same')
    done = run(*compare('./photos'), '--jobs', '999', cwd=tmp_path/'same')
    assert done.status == 0 and 'Nothing to train' in done.out


# --- files of ours ---

class Payload:
    "What runs code when it is opened"
    def __reduce__(self): return os.mkdir, ('it_ran',)


def pickled(path):
    import pickle
    path.write_bytes(pickle.dumps(Payload()))


def zipped(path):
    import torch
    torch.save(Payload(), path)


def sql(statement, *values):
    def change(folder):
        with closing(sqlite3.connect(folder/'out/study.db')) as db, db: db.execute(statement, values)
    return change


def about(**changes):
    "Change what the file says of the study"
    def change(folder):
        with closing(sqlite3.connect(folder/'out/study.db')) as db, db:
            known = json.loads(db.execute('SELECT study FROM runs ORDER BY rowid DESC').fetchone()[0])
            db.execute('UPDATE runs SET study = ?', (json.dumps({k: v for k, v in (known | changes).items() if v is not None}),))
    return change


def cut(folder):
    path = folder/'out/study.db'
    path.write_bytes(path.read_bytes()[:path.stat().st_size//2 + 100])


ELSE = ['study.db', 'another folder']
DAMAGED = {
    'half a database': (cut, ['study.db', 'move it away']),
    'another file': (lambda d: (d/'out/study.db').write_bytes(b'no database'*99), ['study.db', 'move it away']),
    'another layout': (sql('PRAGMA user_version = 99'), ['layout 99', 'move it away']),
    'no runs': (sql('DELETE FROM runs'), ['does not say what it holds', 'run `compare`']),
    'no task': (sql('DELETE FROM tasks'), ['does not say what its task is', 'run `compare`']),
    'a run that is no JSON': (sql("UPDATE runs SET study = '{'"), ['study.db is damaged', 'bring back a copy']),
    'a task that is no JSON': (sql("UPDATE tasks SET about = 'x'"), ['study.db is damaged', 'bring back a copy']),
    'a task that lacks its labels': (sql("UPDATE tasks SET about = '{}'"), ELSE),
    'a run that is a list': (sql("UPDATE runs SET study = '[]'"), ELSE),
    'settings of another version': (about(settings=dict(colour=3)), ELSE),
    'a run that lacks its sizes': (about(sizes=None), ELSE),
    'outputs cut short': (sql('UPDATE trials SET test = substr(test, 1, 9)'), ['study.db is damaged', 'bring back a copy']),
    'outputs of fewer examples': (sql('UPDATE trials SET test = substr(test, 1, 8)'), ['study.db is damaged', 'bring back a copy']),
}


@by_name(DAMAGED)
def test_damaged_results(case, study, tmp_path):
    "They are told, and left as they are; a copy of the study elsewhere goes on"
    change, says = case
    shutil.copytree(study, tmp_path/'out')
    change(tmp_path)
    before = (tmp_path/'out/study.db').read_bytes()
    done = run('report', 'out', cwd=tmp_path)
    assert done.status == 1, done
    told(one_sentence(done), says)
    assert (tmp_path/'out/study.db').read_bytes() == before and (tmp_path/'out/results.csv').exists()


REPORTS = {
    'nowhere': Case(['report', 'nowhere'], 1, ["no study in 'nowhere'", 'that `compare` wrote']),
    'a file': Case(['report', 'out/study.db'], 1, ["no study in 'out/study.db'"]),
    'a mistyped score': Case(['report', 'out', '--score', 'acuracy'], 2, ["'acuracy'", "Did you mean 'accuracy'?"]),
    'no model yet': Case(['predict', 'out', 'photos'], 1, ['has no model yet', 'tl-vs-scratch train out'], photos),
    'examples that are gone': Case(['train', 'out'], 2, ['no training', 'name one']),
    'a rival to take home': Case(['train', 'out', '--strategy', 'most_frequent'], 2, ['trains no network']),
    'a mistyped strategy': Case(['train', 'out', '--strategy', 'most_frequen'], 2, ["Did you mean 'most_frequent'?"]),
    'a report in place of a folder': Case(['report', 'out'], 1, ["report.html'", 'another place'], lambda d: [(d/'out/report.html').unlink(), (d/'out/report.html').mkdir()]),
    'mistyped labels, later': Case(argued(sizes='-3'), 2, ['n=-3'], photos),
    'too many labels, later': Case(argued(sizes='8,999'), 2, ['n=999'], photos),
    'a broken budget, later': Case(argued('--budget', 'soon'), 2, ["'soon'"], photos),
    'data that are gone, afresh': Case(['compare', './gone', *COMPARE, '--fresh'], 2, ["no folder './gone'"]),
    'no strategy, afresh': Case(argued('--fresh', strategies='scratc'), 2, ["Did you mean 'scratch'?"], photos),
    'a margin that is none, afresh': Case(argued('--fresh', '--margin', 'inf'), 2, ['margin'], photos),
    'too large a size, afresh': Case(argued('--fresh', '--size', '99999'), 2, ['pixels a side'], photos),
}


@by_name(REPORTS)
def test_stored_results_stay(case, study, tmp_path):
    "Whatever is asked wrongly of a study, the trials and the table that it had are there"
    shutil.copytree(study, tmp_path/'out')
    check(case, tmp_path)
    assert stored(tmp_path/'out') == stored(study)
    assert (tmp_path/'out/results.csv').read_bytes() == (study/'results.csv').read_bytes()


def archive(folder): (folder/'model/notes').write_bytes(b'PK\5\6' + bytes(18) + b'x')
def broken_archive(folder):
    with zipfile.ZipFile(folder/'model/notes', 'w') as f: f.writestr('a', 'a')
    data = (folder/'model/notes').read_bytes()
    (folder/'model/notes').write_bytes(data.replace(b'PK\1\2', b'PK\7\7'))
    (folder/'model/weights.safetensors').write_bytes(b'')


MODELS = {
    'a pickle for weights': (lambda d: pickled(d/'model/weights.safetensors'), ["weights.safetensors' is a pickle", 'refused']),
    "PyTorch's archive for weights": (lambda d: zipped(d/'model/weights.safetensors'), ["weights.safetensors' is a pickle", 'refused']),
    'a pickle beside them': (lambda d: pickled(d/'model/head'), ["head' is a pickle", 'refused']),
    'a pickle by its name': (lambda d: (d/'model/learner.PKL').write_bytes(b'(lp0\n.'), ["learner.PKL' is a pickle", 'refused']),
    'weights with another digest': (lambda d: (d/'model/weights.safetensors').write_bytes((d/'model/weights.safetensors').read_bytes()[:-1] + b'\1'),
                                    ["weights.safetensors' is damaged", 'copy the folder again']),
    'no weights': (lambda d: (d/'model/weights.safetensors').unlink(), ['not complete', 'copy the folder again']),
    'no JSON': (lambda d: (d/'model/model.json').write_text('{'), ["model.json' is damaged", 'copy the folder again']),
    'no text': (lambda d: (d/'model/model.json').write_bytes(b'\xff\0'), ["model.json' is damaged"]),
    'JSON in a thousand folds': (lambda d: (d/'model/model.json').write_text('['*100_000), ["model.json' is damaged"]),
    'a list': (lambda d: (d/'model/model.json').write_text('[1]'), ["model.json' is damaged"]),
    'a later version': (lambda d: (d/'model/model.json').write_text('{"schema": 99}'), ['schema 99', 'train the model again']),
    'a broken archive beside them': (broken_archive, ["weights.safetensors' is damaged"]),
}


@by_name(MODELS)
def test_damaged_models(case, model, tmp_path):
    "Told by the command before anything of it is opened; no table is written, and what was one stays"
    change, says = case
    photos(tmp_path)
    shutil.copytree(model, tmp_path/'model')
    (tmp_path/'predictions.csv').write_text('of yesterday')
    change(tmp_path)
    done = run('predict', 'model', 'photos', cwd=tmp_path)
    assert done.status == 1, done
    told(one_sentence(done), says)
    assert not list(tmp_path.rglob('it_ran')) and (tmp_path/'predictions.csv').read_text() == 'of yesterday'


WEIGHTS = {
    'a pickle': ('w.pth', pickled, ['.safetensors files only', 'convert it']),
    "PyTorch's archive": ('w.pt', zipped, ['.safetensors files only', 'convert it']),
    'a pickle under another name': ('w.safetensors', pickled, ["w.safetensors' is damaged or no safetensors file", 'fetch it again']),
    'an archive under another name': ('w.safetensors', zipped, ['is damaged or no safetensors file', 'fetch it again']),
    'nothing': ('w.safetensors', lambda path: path.write_bytes(b''), ['is damaged or no safetensors file', 'fetch it again']),
    'those of another network': ('w.safetensors', lambda path: other_weights(path), ["not those of 'resnet18'", 'missing']),
}


def other_weights(path):
    import torch
    from safetensors.torch import save_file
    save_file(dict(a=torch.zeros(2)), path)


@by_name(WEIGHTS)
def test_weights_of_ones_own(case, tmp_path):
    name, write, says = case
    photos(tmp_path)
    write(tmp_path/name)
    done = run(*argued('--weights', name, '--body', 'resnet18', strategies='fine_tune'), cwd=tmp_path)
    assert done.status == 2, done
    told(one_sentence(done), says)
    assert not list(tmp_path.rglob('it_ran')) and not (tmp_path/'out').exists()


def test_a_packaged_file_with_another_digest(tmp_path):
    from tl_vs_scratch.tasks.pieces import check_sha256
    (tmp_path/'model.safetensors').write_bytes(b'other')
    refused(lambda: check_sha256(tmp_path/'model.safetensors', '0'*64), ValueError, ["model.safetensors' is damaged or another version", 'install'])


def entry(folder, name='a.safetensors', **tensors):
    from safetensors.torch import save_file
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder/name, metadata=dict(about='{'))
    return folder/name


def test_a_damaged_cache_is_listed_and_read_no_more(tmp_path, monkeypatch):
    "Bytes that are none of ours, a description that is no JSON, and a sound file of another kind"
    import torch
    from tl_vs_scratch.training.tables import ActivationTable
    kept = entry(tmp_path/'cache', values=torch.ones(2, 3))
    (tmp_path/'cache/b.safetensors').write_bytes(b'no')
    done = run('cache', '--cache-dir', 'cache', cwd=tmp_path)
    assert done.status == 0 and done.out.count('(damaged)') == 2 and not done.err
    monkeypatch.setenv('TLVS_CACHE_DIR', str(tmp_path/'cache'))
    for path in (kept, tmp_path/'cache/b.safetensors'):
        table = ActivationTable(2, (3,), torch.float32, 'cpu', path)
        table.read()
        assert not table.filled.any() and not path.exists()


CACHE = {
    'in words': ('lots', ["TLVS_CACHE_GB is 'lots'", 'number of gigabytes']), 'below nothing': ('-1', ["TLVS_CACHE_GB is '-1'", 'number of gigabytes']),
    'no number': ('nan', ["TLVS_CACHE_GB is 'nan'", 'number of gigabytes']),
}


@by_name(CACHE)
def test_a_limit_that_is_none(case, tmp_path, monkeypatch):
    value, says = case
    monkeypatch.setenv('TLVS_CACHE_GB', value)
    check(Case(['cache'], 2, says), tmp_path)


def test_a_put_away_training_that_is_a_pickle(tmp_path):
    "It is not opened, and nothing of it is believed"
    from tl_vs_scratch.training.anytime import read_state
    for write in (pickled, zipped):
        write(tmp_path/'t.safetensors')
        assert read_state(tmp_path/'t.safetensors') is None and not list(Path.cwd().glob('it_ran'))


def test_odd_names_from_the_pictures_to_the_report(tmp_path):
    "Classes and files whose names are no text, or command a terminal: told, kept and shown as they are spelt out"
    try: photos(tmp_path, ['\udcff', 'two\nlines', '\x1b[31mred'])
    except (OSError, UnicodeError): pytest.skip('this file system has no such names')
    (tmp_path/'photos/two\nlines/bad\x1b[31m.jpg').write_bytes(b'')
    done = run(*argued(sizes='9'), cwd=tmp_path)
    assert done.status == 0 and '\x1b' not in done.out + done.err and 'two\\nlines/bad\\x1b[31m.jpg' in done.err, done
    assert len(stored(tmp_path/'out')) == 1 and '\\udcff' in (tmp_path/'out/report.html').read_text()
    again = run('report', 'out', cwd=tmp_path)
    assert again.status == 0, again


def test_what_was_stored_outlives_a_trial_that_fails(study, tmp_path, monkeypatch):
    from tl_vs_scratch.studies import workers
    def broken(*args): raise MemoryError('too big')
    monkeypatch.setattr(workers, 'run_rival', broken)
    photos(tmp_path)
    shutil.copytree(study, tmp_path/'out')
    done = run(*argued(strategies='most_frequent,plain'), cwd=tmp_path)
    assert done.status == 0 and '1 trial' in done.out and 'Traceback' not in done.out + done.err, done
    assert stored(tmp_path/'out') == stored(study) and 'too big' in (tmp_path/'out/results.csv').read_text()


def test_every_trial_failed(tmp_path, monkeypatch):
    "A sentence, not a traceback; the report is there and says why"
    from tl_vs_scratch.studies import workers
    def broken(*args): raise RuntimeError('out of\nluck')
    monkeypatch.setattr(workers, 'run_rival', broken)
    photos(tmp_path)
    done = run(*argued(), cwd=tmp_path)
    assert done.status == 1 and 'every trial failed; report.html says why' in done.err and 'Traceback' not in done.err
    assert 'luck' in (tmp_path/'out/report.html').read_text() and 'failed' in (tmp_path/'out/results.csv').read_text()


def test_enough_cases():
    tables = [o for name, o in globals().items() if name.isupper() and isinstance(o, dict)]
    names = [(id(o), name) for o in tables for name in o]
    assert len(names) == len(set(names)) >= 80
