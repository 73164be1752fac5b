"Made-up and mutilated bytes on everything that reads a file of a person's: an answer or one known kind of error, in bounded time, and nothing of the file is run"

import io
import json
import sqlite3
import time
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
import tl_vs_scratch as tlvs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tl_vs_scratch.answers.shown import StoredStudy
from tl_vs_scratch.tasks.pictures import Pictures
from tl_vs_scratch.tasks.texts import Texts
from tl_vs_scratch.training.anytime import read_state, write_state
from tl_vs_scratch.training.models import ABOUT, WEIGHTS, About, Model, build_network, load_model, save_model

LONGEST = 5. # seconds for one file
many = settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
some = settings(many, max_examples=25)


@st.composite
def mutilated(draw, sound):
    "A sound file, cut short, with bytes changed, put in or left out; or bytes without any sense"
    if not draw(st.integers(0, 5)): return draw(st.binary(max_size=300))
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        what = draw(st.sampled_from(['change', 'cut', 'put in', 'leave out']))
        if what == 'change': data[at:at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif what == 'cut': del data[at:]
        elif what == 'put in': data[at:at] = draw(st.binary(max_size=40))
        else: del data[at:at + draw(st.integers(1, 40))]
    return bytes(data)


class Quickly:
    "A block that must be over soon"
    def __enter__(self): self.began = time.perf_counter()
    def __exit__(self, *_): assert time.perf_counter() - self.began < LONGEST


def one_sentence(error):
    "For a person, in one line"
    said = str(error)
    assert 10 < len(said) < 600 and '\n' not in said and 'Traceback' not in said, said


# ---- pictures ----

def encoded(kind, mode='RGB', **options):
    pixels = np.random.default_rng(0).integers(0, 255, (24, 20, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


PICTURES = {'png': encoded('png'), 'palette': encoded('png', 'P'), 'jpeg': encoded('jpeg'), 'gif': encoded('gif', 'P'), 'webp': encoded('webp'),
            'bmp': encoded('bmp'), 'tiff': encoded('tiff', compression='tiff_lzw')}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', PICTURES)
def test_pictures(kind):
    medium, sound = Pictures(size=16), PICTURES[kind]
    assert medium.digest(sound)
    seen = set()

    @many
    @given(mutilated(sound))
    def each(data):
        with Quickly(): digest = medium.digest(data)
        assert digest is None or isinstance(digest, str)
        seen.add(digest is None)
    each()
    assert True in seen, 'nothing was damaged'


# ---- texts and tables ----

@many
@given(mutilated('Ein Satz, señor; два слова. 😀\n'.encode()*3))
def test_texts(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('texts')/'a.txt'
    path.write_bytes(data)
    with Quickly(): digest = Texts().digest(path)
    assert digest is None or isinstance(digest, str)


ROWS = pd.DataFrame(dict(text=[f'the number {k}, "so to say"' for k in range(24)], label=['odd', 'even']*12))
TABLES = {'csv': ROWS.to_csv(index=False).encode(), 'tsv': ROWS.to_csv(index=False, sep='\t').encode(),
          'jsonl': ROWS.to_json(orient='records', lines=True).encode()}


def in_parquet():
    file = io.BytesIO()
    ROWS.to_parquet(file)
    return file.getvalue()


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', [*TABLES, 'parquet'])
def test_tables(kind, tmp_path):
    if kind == 'parquet': pytest.importorskip('pyarrow')
    sound, path, seen = TABLES.get(kind) or in_parquet(), tmp_path/f'rows.{kind}', set()
    path.write_bytes(sound)
    assert len(tlvs.from_csv(path)) == 24

    @some
    @given(mutilated(sound))
    def each(data):
        path.write_bytes(data)
        with Quickly():
            try: found = len(tlvs.from_csv(path)) > 0
            except ValueError as e:
                one_sentence(e)
                found = False
        seen.add(found)
    each()
    assert False in seen


# ---- files of ours ----

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "A small model, saved"
    stages = list(dict(tlvs.create_backbone('convnet', False).stages.named_children()))
    about = About(task='toy', classes=['a', 'b'], medium=dict(name='pictures', size=16, mode='RGB', flip=True), size=16, strategy='scratch:convnet',
                  body='convnet', stages=stages, example=[3, 16, 16])
    return save_model(tmp_path_factory.mktemp('models')/'model', Model(build_network(about), about))


@pytest.mark.parametrize('name', [ABOUT, WEIGHTS])
def test_models(name, model, tmp_path):
    sound = (model/name).read_bytes()
    for other in (ABOUT, WEIGHTS): (tmp_path/other).write_bytes((model/other).read_bytes())
    seen = set()

    @some
    @given(mutilated(sound))
    def each(data):
        (tmp_path/name).write_bytes(data)
        with Quickly():
            try: found = load_model(tmp_path).classes == ['a', 'b']
            except (OSError, ValueError) as e:
                one_sentence(e)
                found = False
        assert not (found and name == WEIGHTS and data != sound), 'damaged weights were taken'
        seen.add(found)
    each()
    assert False in seen


@many
@given(st.data())
def test_unfinished_trainings(tmp_path_factory, data):
    import torch
    path = tmp_path_factory.mktemp('kept')/'training.safetensors'
    write_state(path, dict(a=torch.arange(6.), b=torch.zeros(2, 3)), dict(part=1, path=[[1, 2.]]))
    sound = path.read_bytes()
    assert read_state(path)[1] == dict(part=1, path=[[1, 2.]])
    path.write_bytes(data.draw(mutilated(sound)))
    with Quickly(): found = read_state(path)
    assert found is None or len(found) == 2


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    "A database of results, with one training that costs nothing"
    out = tmp_path_factory.mktemp('studies')/'out'
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (16, 16, 3), dtype=np.uint8) for _ in range(40)]
    task = tlvs.from_examples(pictures, ['a', 'b']*20, name='toy')
    tlvs.compare(task, sizes=[10], seeds=1, strategies=['most_frequent'], budget=None, out=out, progress=False)
    with closing(sqlite3.connect(out/'study.db')) as db: db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    return (out/'study.db').read_bytes()


def test_databases(study, tmp_path):
    seen = set()

    @some
    @given(mutilated(study))
    def each(data):
        for left in tmp_path.glob('study.db*'): left.unlink()
        (tmp_path/'study.db').write_bytes(data)
        with Quickly():
            try: found = len(StoredStudy(tmp_path).results) == 1
            except (OSError, ValueError) as e:
                one_sentence(e)
                found = False
        seen.add(found)
    each()
    assert False in seen


@some
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['schema', 'classes', 'medium', 'size', 'stages']), inner)))
def test_any_json_is_no_model(tmp_path_factory, made_up):
    "Sound JSON that says nonsense"
    folder = tmp_path_factory.mktemp('nonsense')
    (folder/ABOUT).write_text(json.dumps(made_up))
    (folder/WEIGHTS).write_bytes(b'')
    with pytest.raises((OSError, ValueError)) as e: load_model(folder)
    one_sentence(e.value)
