"A model taken home: the same answers before and after, nothing damaged is opened, other programs agree, and a person gets there by two commands"

import json
import os
import random
import sys
import zipfile
from dataclasses import asdict, replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tl_vs_scratch as tlvs
import torch
from commands import commands, paint, paint_folder
from fastai.torch_core import set_seed
from safetensors.torch import load_file, save_file
from tl_vs_scratch.networks.names import body_digest
from tl_vs_scratch.training.models import ABOUT, WEIGHTS, About, Model, build_network, file_digest, load_model, save_model, whole_digest
from tl_vs_scratch.training.recipes import Settings, parse_strategy
from tl_vs_scratch.training.refits import Length, calm_temperature, find_length, model_of, refit, shared_out, stored_length, whole
from tl_vs_scratch.training.trial import run_trial

CLASSES = ['a', '<script>', 'c']


def about_of(body='convnet', **more):
    "What there is to say of a made-up model for pictures of 24 pixels"
    known = dict(task='<i>toy', classes=CLASSES, medium=dict(name='pictures', size=24, mode='RGB', flip=True), size=24, strategy='scratch:convnet', body=body,
                 stages=[], example=[3, 24, 24], temperature=1.7)
    about = About(**known | more)
    if about.stages: return about
    from tl_vs_scratch.networks.bodies import create_backbone
    return replace(about, stages=create_backbone(body, pretrained=False).stage_names)


def made_up(about=None, seed=0):
    "A model whose weights are random but not those of `build_network`; its outputs differ much from example to example"
    about = about or about_of()
    torch.manual_seed(seed)
    net = build_network(about)
    with torch.no_grad():
        for p in net.parameters(): p.copy_(torch.randn_like(p)*p.std().nan_to_num(.1).clamp(min=.1))
        net.train()
        net(torch.rand(8, *about.example)) # BatchNorm has seen something
    return Model(net, about)


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    "Pictures of several sizes and modes"
    folder, rng = tmp_path_factory.mktemp('new'), np.random.default_rng(0)
    for k in range(10): paint(folder/f'{k}.png', 18*k, rng, size=16 + 7*k)
    return folder


@pytest.fixture
def kept(tmp_path): return save_model(tmp_path/'model', made_up())


# ---- there and back ----

def test_the_same_answers_after_a_round_trip(kept, pictures):
    before, again = made_up(), load_model(kept)
    assert again.predict(pictures).equals(before.predict(pictures))
    assert again.about == before.about and again.folder == kept
    assert before.predict(pictures).probability.nunique() == 10, 'a model that always says the same proves nothing'


@pytest.mark.parametrize('body', ['tf_efficientnet_lite0', 'resnet18', 'timm/resnet18'])
def test_bodies_come_back(body, tmp_path, pictures):
    model = made_up(about_of(body, size=32, example=[3, 32, 32]))
    assert load_model(model.save(tmp_path)).predict(pictures).equals(model.predict(pictures))


def test_a_graft_and_grey_pictures_come_back(tmp_path, pictures):
    about = about_of(cut=-2, example=[1, 24, 24], medium=dict(name='pictures', size=24, mode='L', flip=False), stages=['conv1', 'conv2', 'graft'])
    model = made_up(about)
    assert load_model(model.save(tmp_path)).predict(pictures).equals(model.predict(pictures))


def on_all_stages(body, size):
    "A model whose head sees what every stage gives"
    return made_up(about_of(body, size=size, example=[3, size, size], all_stages=True, stages=['all_stages']))


@pytest.mark.parametrize('body', ['convnet', 'tf_efficientnet_lite0'])
def test_a_head_on_all_stages_comes_back(body, tmp_path, pictures):
    model = on_all_stages(body, 40)
    assert load_model(model.save(tmp_path)).predict(pictures).equals(model.predict(pictures))


def test_nothing_is_pickled(kept):
    assert sorted(o.name for o in kept.iterdir()) == [ABOUT, WEIGHTS]
    said = json.loads((kept/ABOUT).read_text())
    assert said['weights_sha256'] == file_digest(kept/WEIGHTS) and said['classes'] == CLASSES and said['temperature'] == 1.7


def test_saved_over_an_older_one(kept, pictures):
    other = made_up(seed=1)
    save_model(kept, other)
    assert load_model(kept).predict(pictures).equals(other.predict(pictures))


def test_an_older_one_stays_where_the_next_can_not_be_written(kept, monkeypatch):
    "The disk is full after the weights: both files are as they were, and nothing is left over"
    from tl_vs_scratch.training import models
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    def full(data): raise OSError('No space left on device')
    monkeypatch.setattr(models, 'whole_digest', full)
    with pytest.raises(OSError, match='No space left'): save_model(kept, made_up(seed=1))
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


def test_readable_by_others(kept):
    "As any file that this user writes"
    (kept/'mine').touch()
    assert len({(kept/o).stat().st_mode for o in (WEIGHTS, ABOUT, 'mine')}) == 1


# ---- what is refused ----

def flip(path, at=.5):
    data = bytearray(path.read_bytes())
    data[int(at*(len(data) - 1))] ^= 1
    path.write_bytes(data)


def refused(folder, **kwargs):
    with pytest.raises(OSError) as caught: load_model(folder, **kwargs)
    said = str(caught.value)
    assert '\n' not in said and len(said) < 400, said
    return said


@pytest.mark.parametrize('name', [WEIGHTS, ABOUT])
@pytest.mark.parametrize('at', [0, .1, .37, .5, .9, 1])
def test_one_flipped_bit(name, at, kept):
    flip(kept/name, at)
    assert f"{name}' is damaged" in refused(kept)


def test_cut_short(kept):
    (kept/WEIGHTS).write_bytes((kept/WEIGHTS).read_bytes()[:-100])
    assert 'is damaged' in refused(kept)


def rewrite(folder, **changes):
    "Change `model.json` as somebody would who can compute its digest"
    data = json.loads((folder/ABOUT).read_text()) | changes
    (folder/ABOUT).write_text(json.dumps(data | dict(digest=whole_digest(data))))


def test_another_schema(kept):
    rewrite(kept, schema=99)
    assert 'has schema 99 and this version reads 1' in refused(kept)


def test_a_body_that_is_staged_otherwise_now(kept):
    rewrite(kept, stages=['stem', 'block1'])
    assert 'was saved with stem, block1; it needs tl-vs-scratch' in refused(kept)


def test_weights_of_another_shape(kept):
    tensors = load_file(kept/WEIGHTS)
    save_file({name: t[:1] if t.ndim == 2 else t for name, t in tensors.items()}, kept/WEIGHTS)
    rewrite(kept, weights_sha256=file_digest(kept/WEIGHTS))
    assert 'do not fit convnet' in refused(kept)


@pytest.mark.parametrize('name', [WEIGHTS, ABOUT])
def test_a_missing_file(name, kept):
    (kept/name).unlink()
    assert name in refused(kept)


def write_pickle(path):
    import pickle
    path.write_bytes(pickle.dumps([1]))


@pytest.mark.parametrize('name, write', [
    (WEIGHTS, lambda path: torch.save({}, path)), (WEIGHTS, write_pickle), ('notes.txt', write_pickle), ('more/optimiser', lambda path: torch.save([1], path)),
    ('learner.pkl', lambda path: path.write_text('(lp0')), ('WEIGHTS.PTH', lambda path: path.touch())])
def test_a_pickle_is_never_opened(name, write, kept):
    (kept/name).parent.mkdir(exist_ok=True)
    write(kept/name)
    assert f"{name}' is a pickle" in refused(kept)


def test_other_files_do_no_harm(kept):
    (kept/'notes.txt').write_text('Peter made it'); (kept/'empty').touch()
    with zipfile.ZipFile(kept/'photos.zip', 'w') as archive: archive.writestr('a.png', b'')
    assert load_model(kept).classes == CLASSES


def test_no_model(tmp_path):
    assert f"no model in '{tmp_path}'" in refused(tmp_path)
    (tmp_path/'study.db').touch()
    assert f'train it: tl-vs-scratch train {tmp_path}' in refused(tmp_path)


def test_a_body_of_ones_own(tmp_path, pictures):
    def modules(): return [torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())]
    mine = modules()
    about = about_of(body_digest(mine), own_body=True, stages=['stage1'])
    net = build_network(about, mine)
    save_model(tmp_path, Model(net, about))
    assert load_model(tmp_path, mine).predict(pictures).equals(Model(net, about).predict(pictures))
    with pytest.raises(ValueError, match='load_model\\(folder, body=...\\)'): load_model(tmp_path)
    with pytest.raises(ValueError, match='not those that the model was made of'): load_model(tmp_path, modules())


# ---- predictions ----

def test_one_damaged_picture_stops_nobody(kept, pictures, tmp_path):
    (tmp_path/'broken.png').write_bytes((pictures/'3.png').read_bytes()[:60])
    files = [pictures/'0.png', tmp_path/'broken.png', str(pictures/'1.png'), tmp_path/'gone.png', np.zeros((30, 20, 3), np.uint8)]
    table = load_model(kept).predict(files, progress=False)
    assert table.problem.tolist() == ['', 'cannot be read', '', 'there is no such file', '']
    assert table['class'].isna().tolist() == table.probability.isna().tolist() == [False, True, False, True, False]
    assert table.file.tolist()[4] == 'example 4'
    alone = load_model(kept).predict([pictures/'0.png', pictures/'1.png'], progress=False)
    pd.testing.assert_frame_equal(table.iloc[[0, 2]].reset_index(drop=True), alone, rtol=1e-5)


def test_probabilities_are_calibrated_and_ordered(kept, pictures):
    model = load_model(kept)
    table = model.predict(pictures)
    shares = table[['probability', 'probability_2', 'probability_3']].to_numpy()
    assert (np.diff(shares, axis=1) <= 0).all() and np.allclose(shares.sum(1), 1)
    hot = Model(model.net, replace(model.about, temperature=50.)).predict(pictures)
    assert hot['class'].equals(table['class']) and (hot.probability < table.probability).all()


def test_two_classes_have_no_third(pictures):
    table = made_up(about_of(classes=['a', 'b'])).predict(pictures)
    assert 'class_2' in table and 'class_3' not in table


def test_predicting_changes_no_network(kept, pictures):
    model = load_model(kept)
    before = {name: t.clone() for name, t in model.net.state_dict().items()}
    model.net.train()
    model.predict(pictures)
    assert model.net.training and all(t.equal(before[name]) for name, t in model.net.state_dict().items())


def test_nothing_to_predict(kept, tmp_path, pictures):
    model = load_model(kept)
    with pytest.raises(FileNotFoundError, match='there is no file or folder'): model.predict(tmp_path/'nowhere')
    (tmp_path/'empty').mkdir()
    with pytest.raises(ValueError, match='no pictures in'): model.predict(tmp_path/'empty')
    with pytest.raises(ValueError, match='the list is empty'): model.predict([])
    assert len(model.predict(pictures/'1.png')) == 1 and len(model.predict([pictures, pictures/'1.png'])) == 11


# ---- on in fastai, and elsewhere ----

def test_a_learner_goes_on_with_a_copy(kept, pictures, tmp_path):
    task = tlvs.from_folder(paint_folder(tmp_path/'toy', CLASSES, each=6), size=24)
    model = load_model(save_model(tmp_path/'m', made_up(about_of(classes=task.classes))))
    before = model.predict(pictures)
    learn = model.learner(task.dls())
    outputs, _ = model.outputs([task.sources[i] for i in task.test_idxs])
    with learn.no_bar(), learn.no_logging():
        said, _ = learn.get_preds(dl=task.test_dl(learn.dls), act=lambda o: o)
        np.testing.assert_allclose(said, outputs, atol=1e-4)
        learn.fit(1, 1e-2)
    assert model.predict(pictures).equals(before) and all(p.requires_grad for p in learn.model.parameters())
    with pytest.raises(ValueError, match='the model has a, <script>, c'): load_model(kept).learner(task.dls())


def test_a_learner_for_normalised_pictures(tmp_path):
    from fastai.data.transforms import Normalize
    task = tlvs.from_folder(paint_folder(tmp_path/'toy', CLASSES, each=6), size=24)
    model = made_up(about_of(classes=task.classes))
    outputs, _ = model.outputs([task.sources[i] for i in task.test_idxs])
    dls = task.dls(augment=False)
    for dl in dls.loaders: dl.after_batch.add(Normalize.from_stats([.4, .5, .6], [.2, .3, .25], cuda=False))
    learn = model.learner(dls)
    with learn.no_bar(): said, _ = learn.get_preds(dl=task.test_dl(dls), act=lambda o: o)
    np.testing.assert_allclose(said, outputs, atol=1e-4)


@pytest.mark.parametrize('body', ['convnet', 'tf_efficientnet_lite0'])
def test_onnx_agrees(body, tmp_path, pictures):
    ort = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    model = made_up(about_of(body, size=32, example=[3, 32, 32]))
    made = model.to_onnx(tmp_path/'deep/model.onnx', pictures)
    assert made.difference < 1e-4 and made.examples == 10 and str(made.examples) in repr(made)
    session = ort.InferenceSession(made.path)
    table = model.predict(pictures)
    batch = next(iter(model.dls.test_dl(sorted(pictures.iterdir()))))[0].numpy()
    said, = session.run(None, dict(examples=batch)) # plain numbers in 0..1: normalisation and temperature are inside
    np.testing.assert_allclose(said.max(1), table.probability, atol=1e-4)
    names = session.get_modelmeta().custom_metadata_map['classes'].split('\n')
    assert [names[k] for k in said.argmax(1)] == table['class'].tolist()


def test_onnx_of_a_head_on_all_stages(tmp_path, pictures):
    "Whose states have no sides that can be halved: 40, 20, 10, 5, 3 and 2"
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    made = on_all_stages('tf_efficientnet_lite0', 40).to_onnx(tmp_path/'model.onnx', pictures)
    assert made.difference < 1e-4 and made.examples == 10


def test_an_export_that_is_off_is_not_kept(tmp_path, pictures, monkeypatch):
    pytest.importorskip('onnxruntime')
    from tl_vs_scratch.training import exports
    right, model = exports.write_onnx, made_up()
    monkeypatch.setattr(exports, 'write_onnx', lambda model, *args: right(made_up(seed=3), *args))
    with pytest.raises(RuntimeError, match='does not agree with the model'): model.to_onnx(tmp_path/'m.onnx', pictures)
    assert not list(tmp_path.iterdir())


def test_an_export_that_says_no_number_is_off(pictures):
    from tl_vs_scratch.training.exports import largest_difference
    broken = SimpleNamespace(run=lambda names, given: [np.full((len(given['examples']), len(CLASSES)), np.nan, np.float32)])
    read, off = largest_difference(made_up(), broken, sorted(pictures.iterdir()))
    assert read == 10 and np.isnan(off)


def test_an_export_needs_packages_and_examples(tmp_path, pictures, monkeypatch):
    pytest.importorskip('onnxruntime')
    with pytest.raises(ValueError, match='give some pictures to check the file with'): made_up().to_onnx(tmp_path/'m.onnx')
    (tmp_path/'broken.png').write_bytes(b'')
    with pytest.raises(ValueError, match='none of the pictures'): made_up().to_onnx(tmp_path/'m.onnx', [tmp_path/'broken.png'])
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ImportError, match="pip install 'tl-vs-scratch\\[onnx\\]'"): made_up().to_onnx(tmp_path/'m.onnx', pictures)


# ---- on all labels ----

@pytest.fixture(scope='module')
def toy(tmp_path_factory): return tlvs.from_folder(paint_folder(tmp_path_factory.mktemp('toy')/'photos', each=14), size=32)


def test_all_labels_are_trained_on_and_no_test_example(toy):
    train, valid = toy.subset()
    everything, same = whole(toy).subset()
    assert sorted(everything) == sorted([*train, *valid]) == sorted(toy.labelled_idxs) and list(same) == list(valid)
    entrant, settings = parse_strategy('scratch:convnet', 'convnet'), Settings(size=32, max_steps=40)
    length = find_length(toy, entrant, settings, progress=False)
    assert length.steps == (40,) and not length.done and length.examples == len(valid)
    training = refit(toy, entrant, settings, length, progress=False)
    seen = {str(o) for o in training.learn.dls.train_ds.items}
    assert seen == {toy.ids[i] for i in toy.labelled_idxs} and training.steps == 40 and training.is_done
    assert not training.path # nobody looked at a validation or test example on the way
    model = model_of(training, toy, length)
    assert model.examples == [toy.sources[i] for i in toy.test_idxs] and model.about.temperature == length.temperature


@pytest.mark.parametrize('train', [
    lambda toy, entrant, settings: run_trial(toy, entrant, 12, settings=settings),
    lambda *how: find_length(*how, progress=False),
    lambda *how: refit(*how, Length((2,), 1.), progress=False)], ids=['trial', 'length', 'refit'])
def test_the_random_numbers_of_others_stay_as_they_were(train, toy):
    def drawn(): return random.random(), np.random.rand(), torch.rand(1).item()
    set_seed(5)
    expected = drawn()
    set_seed(5)
    train(toy, parse_strategy('scratch:convnet', 'convnet'), Settings(size=32, max_steps=2))
    assert drawn() == expected


def test_each_part_takes_its_steps(toy):
    entrant, settings = parse_strategy('hybrid', 'tf_efficientnet_lite0'), Settings(size=32)
    training = refit(toy, entrant, settings, Length((2, 3, 4), 1.), progress=False)
    assert training.steps == 9 and [p.length(1) for p in training.parts] == [2, 3, 4]


def test_length_from_stored_trials(toy):
    strategy = parse_strategy('fine_tune', 'tf_efficientnet_lite0')
    n = toy.labels_available
    def trial(steps, seed):
        valid = toy.labels[toy.subset(n, seed)[1]]
        return SimpleNamespace(row=dict(steps=steps, n=n, seed=seed, lr=6e-3), outputs=dict(valid=4*np.eye(2, dtype=np.float32)[valid]))
    length = stored_length([trial(300, 0), trial(120, 1), trial(180, 2)], toy, strategy, Settings(), 9)
    assert length.steps == (40, 140) and length.lr_factor == pytest.approx(2) and length.trainings == 3 and length.stored
    assert length.temperature == calm_temperature(4*np.eye(2)[[0]*length.examples], np.zeros(length.examples, int))
    assert stored_length([trial(300, 0)], toy, parse_strategy('hybrid', 'tf_efficientnet_lite0'), Settings(), 9) is None
    assert shared_out(40, strategy.strategy.parts(9), 1.) is None # nothing is left for the open end


def test_a_temperature_has_to_be_earned():
    few, many = (calm_temperature(5*np.eye(2)[np.arange(n) % 2], np.arange(n) % 2) for n in (4, 4000))
    assert .8 < few < 1 and many < few # all right: it may be surer, the more there are
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    outputs = 6*np.eye(3)[np.where(rng.random(900) < .7, y, (y + 1) % 3)]
    assert calm_temperature(outputs, y) > 2 # sure to 99%, right in seven of ten


# ---- a person's way: three commands ----

@pytest.fixture(scope='module')
def home(tmp_path_factory):
    "compare, train, predict, in a folder with awkward names"
    place = tmp_path_factory.mktemp('home')
    paint_folder(place/'my photos', each=12)
    res = SimpleNamespace(place=place, compare=commands()('compare', 'my photos', '--strategies', 'linear_probe,scratch:convnet,most_frequent', '--seeds', '1', cwd=place))
    res.train = commands()('train', 'runs/my photos', '--strategy', 'scratch:convnet', cwd=place)
    (place/'new').mkdir()
    for k, o in enumerate(sorted((place/'my photos').rglob('*.png'))[:6]): (place/'new'/f'<b>{k}.png').write_bytes(o.read_bytes())
    (place/'new/broken.jpg').write_bytes(b'no')
    res.predict = commands()('predict', 'runs/my photos', 'new', '--review', 'look/review.html', cwd=place)
    return res


def test_train_writes_a_model_with_its_card(home):
    done, folder = home.train, home.place/'runs/my photos/model'
    assert done.status == 0, done.err
    assert sorted(o.name for o in folder.iterdir()) == ['README.md', ABOUT, WEIGHTS]
    assert 'Expect about' in done.out and 'Use it: tl-vs-scratch predict' in done.out and 'on all 18 labels' in done.out
    card, measured = (folder/'README.md').read_text(), json.loads((folder/ABOUT).read_text())['measured']
    assert '<script>' not in card and '&lt;script&gt;' in card and 'too few for an interval' in card
    assert measured['labels'] == 18 and measured['length']['steps'] == [20] and measured['examples'] == 6
    assert {'accuracy': measured['value']} == {measured['score']: sum(o['right'] for o in measured['classes'])/6}


def test_predict_prints_and_writes_a_table(home):
    done = home.predict
    assert done.status == 0, done.err
    assert 'left out: new/broken.jpg: cannot be read' in done.err and 'Traceback' not in done.err
    table = pd.read_csv(home.place/'predictions.csv', keep_default_na=False)
    assert list(table) == ['file', 'class', 'probability', 'class_2', 'probability_2', 'problem'] and len(table) == 7
    assert set(table['class']) <= {'<script>', 'cat', ''} and table.problem.tolist().count('cannot be read') == 1
    assert '<b>0.png' in done.out and 'Written: predictions.csv, look/review.html' in done.out


class Page(HTMLParser):
    "What a page loads or runs, and the names of its pictures in their order"
    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.alts, self.policy = [], [], [], ''
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.sources += [attrs[o] for o in ('src', 'href') if o in attrs]
        if tag == 'img': self.alts.append(attrs['alt'])
        if attrs.get('http-equiv') == 'Content-Security-Policy': self.policy = attrs['content']
        assert not any(o.startswith('on') for o in attrs)


def test_the_review_runs_nothing_and_begins_with_doubt(home):
    page = Page((home.place/'look/review.html').read_text())
    assert page.policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not {'script', 'link', 'iframe', 'form'} & set(page.tags) and all(o.startswith('data:image/webp') for o in page.sources)
    table = pd.read_csv(home.place/'predictions.csv').query('probability == probability').sort_values('probability', kind='stable')
    assert [o.split(',')[0] for o in page.alts] == [os.path.basename(o) for o in table.file]


def test_json_for_programs(home):
    done = commands()('predict', 'runs/my photos/model', 'new', '--json', '--out', 'other.csv', cwd=home.place)
    said = json.loads(done.out)
    assert done.status == 0 and len(said['predictions']) == 7 and said['predictions'][0]['probability'] > 0
    assert [o['probability'] for o in said['predictions'] if o['problem']] == [None] and said['out'] == 'other.csv'


def test_the_study_finds_its_examples_again(home):
    "They have moved; nobody says where, then somebody does; then one has changed"
    moved = (home.place/'my photos').rename(home.place/'moved')
    try:
        done = commands()('train', 'runs/my photos', cwd=home.place)
        assert done.status == 1 and 'which is gone; give the folder that holds them now with --data' in done.err
        done = commands()('train', 'runs/my photos', '--data', 'moved', '--out', 'second', '--json', cwd=home.place)
        assert done.status == 0, done.err
        assert json.loads(done.out)['expected']['strategy'] in ('linear_probe', 'scratch:convnet')
        one = next(iter(sorted((moved/'cat').iterdir())))
        before = one.read_bytes()
        paint(one, 0, np.random.default_rng(9))
        done = commands()('train', 'runs/my photos', '--data', 'moved', cwd=home.place)
        assert done.status == 1 and 'are no longer those of the study' in done.err
        one.write_bytes(before)
    finally: moved.rename(home.place/'my photos')


@pytest.mark.parametrize('words, status, said', [
    (['train', 'nowhere'], 1, "no study in 'nowhere'"),
    (['train', 'runs/my photos', '--strategy', 'linear_prob'], 2, "Did you mean 'linear_probe'?"),
    (['train', 'runs/my photos', '--strategy', 'most_frequent'], 2, 'trains no network'),
    (['train'], 2, 'Missing argument'),
    (['predict', 'nowhere', 'new'], 1, "there is no model in 'nowhere'"),
    (['predict', 'runs/my photos', 'new/nothing.png'], 1, "there is no file or folder 'new/nothing.png'"),
    (['predict', 'runs/my photos'], 2, 'Missing argument'),
    (['predict', 'runs/my photos', 'new/broken.jpg', '--out', 'third.csv'], 1, 'none of the pictures could be read')])
def test_mistakes_are_told_in_a_sentence(words, status, said, home):
    done = commands()(*words, cwd=home.place)
    assert (done.status, said in done.err, 'Traceback' in done.err) == (status, True, False), done.err


def test_in_a_notebook_as_on_the_command_line(home):
    "`study.train` of a study that was read, and of one that was run"
    study = tlvs.Results(home.place/'runs/my photos')
    model = study.train('scratch:convnet', out=home.place/'third', data=home.place/'my photos', progress=False)
    told = tlvs.load_model(home.place/'runs/my photos')
    assert asdict(model.about)['measured']['length'] == told.about.measured['length'] | dict(steps=(20,))
    assert model.predict(home.place/'new', progress=False)['class'].tolist()[:6] == told.predict(home.place/'new', progress=False)['class'].tolist()[:6]
    assert hasattr(tlvs.Study, 'train') and 'Model' in repr(model)
