"Text models of transformers, `hf/NAME`: what transformers computes, by their own word pieces, in studies, on the command line and taken home"

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tl_vs_scratch as tlvs
import torch
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.transforms import ColReader, RandomSplitter
from tl_vs_scratch.networks.bodies import create_backbone
from tl_vs_scratch.networks.names import body_digest
from tl_vs_scratch.tasks.hubs import hub_config, padding_of, places_of
from tl_vs_scratch.tasks.pieces import piece_ids, tokenizer
from tl_vs_scratch.training.caching import cached_prefix
from tl_vs_scratch.training.learners import pretrained_learner, scratch_learner
from tl_vs_scratch.training.models import load_model
from tl_vs_scratch.training.recipes import Settings, parse_strategy, settings_digest
from tl_vs_scratch.training.rivals import as_rival, rival_digest, run_rival
from tl_vs_scratch.training.trial import run_trial
from typer.testing import CliRunner

transformers = pytest.importorskip('transformers')
SMALL = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=48, max_position_embeddings=48)
DISTIL = dict(dim=24, n_layers=3, n_heads=2, hidden_dim=48, max_position_embeddings=48)
FAMILIES = {'bert': ('Bert', SMALL), 'roberta': ('Roberta', SMALL), 'xlm-roberta': ('XLMRoberta', SMALL), 'distilbert': ('DistilBert', DISTIL)}


@pytest.fixture(scope='module')
def words(): return tlvs.emoji_words()


def pieces_like(family, texts, path):
    "A list of word pieces as that family has it; it would cut at 5 and pad to 40"
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    if 'roberta' in family:
        made = Tokenizer(models.BPE(unk_token='<unk>'))
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
        made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400, special_tokens=['<s>', '<pad>', '</s>', '<unk>'], show_progress=False))
        made.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0))
    else:
        made = Tokenizer(models.WordPiece(unk_token='[UNK]'))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
        made.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=400, special_tokens=['[PAD]', '[UNK]', '[CLS]', '[SEP]'], show_progress=False))
        made.post_processor = processors.BertProcessing(('[SEP]', 3), ('[CLS]', 2))
    made.enable_truncation(5)
    made.enable_padding(length=40)
    made.save(str(path/'tokenizer.json'))
    return made.get_vocab_size()


def saved(family, texts, folder):
    "A model with random weights, as large as those that a pretraining leaves behind, and its word pieces"
    prefix, small = FAMILIES[family]
    folder.mkdir()
    config = getattr(transformers, f'{prefix}Config')(vocab_size=pieces_like(family, texts, folder), **small)
    torch.manual_seed(0)
    net = getattr(transformers, f'{prefix}Model')(config)
    for p in net.parameters():
        if p.ndim > 1: torch.nn.init.normal_(p, std=.3)
    net.save_pretrained(folder)
    return f'hf/{folder}'


@pytest.fixture(scope='module', params=FAMILIES)
def body(request, words, tmp_path_factory): return saved(request.param, words.sources, tmp_path_factory.mktemp('hub')/request.param)


@pytest.fixture(scope='module')
def bert(words, tmp_path_factory): return saved('bert', words.sources, tmp_path_factory.mktemp('hub')/'bert')


@pytest.fixture
def mine(bert, tmp_path):
    "A copy to spoil"
    shutil.copytree(bert.removeprefix('hf/'), tmp_path/'mine')
    return tmp_path/'mine'


def quiet(learn, f):
    with learn.no_bar(), learn.no_logging(): return f()


# ---- the network ----

def test_it_computes_what_transformers_does(body, words):
    net, folder, padding = create_backbone(body).eval(), body.removeprefix('hf/'), padding_of(hub_config(body))
    theirs = transformers.AutoModel.from_pretrained(folder, attn_implementation='eager').eval()
    x = words.read_by(body).dls(n=60, bs=16).train.one_batch()[0]
    assert (x == padding).any() and x.reader == body
    plain = x.as_subclass(torch.Tensor)
    mask = plain != padding
    with torch.no_grad():
        last = theirs(plain, attention_mask=mask.long()).last_hidden_state
        want = (last*mask.unsqueeze(-1)).sum(1)/mask.sum(1, keepdim=True)
        got, state = net(x), net.state_at(x, 3)
    assert (got - want).abs().max() <= 1e-5 and want.std(0).min() > .01 # the texts differ
    assert torch.equal(state.any(-1), mask)
    for cut in range(1, 4): assert torch.allclose(net(net.activations(x, cut)), got, atol=1e-6)


def test_each_parameter_is_in_one_stage_and_none_is_lost(body):
    net = create_backbone(body)
    stages = [set(stage.parameters()) for stage in net.stages]
    assert net.stage_names == ['embeddings', 'layer1', 'layer2', 'layer3'] and net.n_features == 24
    assert sum(map(len, stages)) == len(set().union(*stages))
    theirs = transformers.AutoModel.from_pretrained(body.removeprefix('hf/'))
    assert sum(map(len, stages)) == sum(not name.startswith('pooler') for name, _ in theirs.named_parameters())


def test_texts_are_numbered_as_transformers_numbers_them(body, words):
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{body.removeprefix('hf/')}/tokenizer.json")
    for text in [*words.sources[:20], 'Ünknown — wörds?!', 'a '*40]:
        ids = theirs(text, truncation=False, padding=False)['input_ids']
        assert piece_ids(text, 200, body) == ids
        assert len(piece_ids(text, 6, body)) <= 6 and piece_ids(text, 6, body)[-1] == ids[-1]
    assert tokenizer(body).truncation is None and tokenizer(body).padding is None


def test_random_weights_are_others(bert):
    pretrained, random, other = create_backbone(bert), create_backbone(bert, pretrained=False), create_backbone(bert, pretrained=False)
    weights = [net.stages.layer1.layer.attention.self.query.weight for net in (pretrained, random, other)]
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])
    assert pretrained.start == 'pretrained' and random.start == 'random'


def test_views_are_filled_up_with_the_own_number(words, tmp_path):
    body = saved('roberta', words.sources, tmp_path/'roberta')
    row = run_trial(words, 'linear_probe', 20, body=body, settings=Settings(bs=8, max_steps=20, views=2)).row
    plain = run_trial(words, 'linear_probe', 20, body=body, settings=Settings(bs=8, max_steps=20)).row
    assert row['steps'] == 20 and abs(row['test_score'] - plain['test_score']) < .15


# ---- trained like any other ----

@pytest.mark.parametrize('cut', [1, 3, 4])
def test_cached_is_as_plain(cut, body, words):
    def trained(cached):
        torch.manual_seed(0)
        learn = pretrained_learner(words.read_by(body).dls(n=40, bs=8, seed=1), body)
        for m in learn.model.modules():
            if isinstance(m, torch.nn.Dropout): m.p = 0.
        for m in learn.model.modules():
            if hasattr(m, 'dropout_prob'): m.dropout_prob = 0.
        tlvs.freeze_to(learn, cut)
        learn.dls.train.rng.seed(1)
        def fit():
            if not cached: return learn.fit(1, 1e-4)
            with cached_prefix(learn, precision='float32') as prefix:
                assert prefix.cut == cut
                learn.fit(1, 1e-4)
        quiet(learn, fit)
        return quiet(learn, lambda: learn.get_preds()[0])
    assert (trained(True) - trained(False)).abs().max() <= 1e-6


def test_what_is_frozen_stays(body, words):
    learn = pretrained_learner(words.read_by(body).dls(n=40, bs=8), body)
    tlvs.freeze_to(learn, 2)
    def fit():
        with tlvs.audit_frozen(learn) as moved: learn.fit(1, 1e-3, wd=.1)
        return moved
    assert quiet(learn, fit) == []
    table = tlvs.stage_table(learn)
    assert not table.trainable[['embeddings', 'layer1']].any() and table.trainable['layer2'] > 0
    assert table.parameters.sum() == sum(p.numel() for p in learn.model.parameters())


@pytest.mark.parametrize('strategy', ['linear_probe', 'fine_tune', 'scratch', 'graft'])
def test_a_trial_of_each_sort(strategy, bert, words):
    if strategy == 'graft': strategy = replace(parse_strategy('graft', bert).strategy, cut=-2)
    row = run_trial(words, strategy, 30, body=bert, settings=Settings(bs=16, max_steps=20)).row
    assert row['steps'] == 20 and row['body'] == bert and row['flops'] > 0


def test_a_rival_on_its_features(bert, words):
    row = run_rival(words, 'nearest_neighbour', 60, body=bert).row
    assert row['status'] == 'done' and row['body'] == bert


def test_a_study_with_minilm_beside_it(bert, words, tmp_path):
    study = tlvs.compare(words, sizes=[30], seeds=1, strategies=['linear_probe', 'plain'], body=['minilm', bert], out=tmp_path, progress=False, max_steps=40)
    assert (study.results.status != 'failed').all(), study.tracebacks()
    assert set(study.results.body) == {'minilm', bert, ''}
    again = tlvs.compare(words, sizes=[30], seeds=1, strategies=['linear_probe', 'plain'], body=['minilm', bert], out=tmp_path, progress=False, max_steps=40)
    assert again.results.seconds_wall.tolist() == study.results.seconds_wall.tolist() # nothing was trained again


# ---- what identifies a result ----

def digests(words, body):
    settings = Settings()
    return settings_digest(words, parse_strategy('linear_probe', body), settings), rival_digest(words, as_rival('nearest_neighbour', body), settings)


def test_other_weights_or_word_pieces_are_another_experiment(mine, bert, words):
    body = f'hf/{mine}'
    found = [digests(words, body)]
    assert found[0] == digests(words.read_by(body), body) == digests(words, bert) # the same model in another folder
    weights = (mine/'model.safetensors').read_bytes()
    (mine/'model.safetensors').write_bytes(weights[:-4] + b'\0\0\0\0')
    found.append(digests(words, body))
    (mine/'model.safetensors').write_bytes(weights)
    assert digests(words, body) == found[0]
    text = (mine/'tokenizer.json').read_text()
    (mine/'tokenizer.json').write_text(text.replace('"lowercase":true', '"lowercase":false').replace('"lowercase": true', '"lowercase": false'))
    found.append(digests(words, body))
    assert len({o for pair in found for o in pair}) == 6


def test_activations_are_not_taken_for_those_of_other_word_pieces(mine, words):
    "The weights are the same, and so is the numbering of the longest text"
    from tl_vs_scratch.training.features import task_features
    body = f'hf/{mine}'
    before = task_features(words, body)
    data = json.loads((mine/'tokenizer.json').read_text())
    longest = words.sources[words.read_by(body).medium.largest(words.read_by(body))[0]]
    kept = set(piece_ids(longest, 48, body))
    ids = [k for k in data['model']['vocab'].values() if k not in kept and k > 4][:40]
    turned = dict(zip(ids, np.roll(ids, 1).tolist()))
    data['model']['vocab'] = {word: turned.get(k, k) for word, k in data['model']['vocab'].items()}
    (mine/'tokenizer.json').write_text(json.dumps(data))
    assert np.abs(task_features(words, body) - before).max() > .01


# ---- taken home ----

def test_a_model_holds_its_word_pieces(mine, words, tmp_path):
    body = f'hf/{mine}'
    study = tlvs.compare(words, sizes=[60], seeds=1, strategies=['linear_probe'], body=body, out=tmp_path/'out', progress=False, max_steps=60)
    model = study.train('linear_probe', progress=False)
    said = model.predict(['sunset over buildings', 'fox face'], progress=False)
    shutil.rmtree(mine)
    (tmp_path/'out'/'model').rename(tmp_path/'elsewhere')
    again = load_model(tmp_path/'elsewhere')
    assert again.about.body == body and again.reader == f"hf/{tmp_path/'elsewhere'/'reader'}"
    table = again.predict(['sunset over buildings', 'fox face'], progress=False)
    assert table['class'].tolist() == said['class'].tolist() and np.allclose(table.probability, said.probability, atol=1e-6)
    pytest.importorskip('onnxruntime')
    exported = again.to_onnx(tmp_path/'m.onnx', ['sunset over buildings', 'fox face', 'a'])
    assert exported.examples == 3 and exported.difference < 1e-4 and exported.tokenizer.is_file()
    again.save(tmp_path/'copy')
    assert load_model(tmp_path/'copy').about == again.about
    (tmp_path/'copy'/'reader'/'tokenizer.json').write_text((tmp_path/'elsewhere'/'reader'/'tokenizer.json').read_text() + ' ')
    with pytest.raises(OSError, match='are not those that the model was trained with'): load_model(tmp_path/'copy')


def test_a_model_with_weights_from_a_file_is_read_again(tmp_path):
    "Its own weights are in the model; the file is not needed"
    import timm
    from safetensors.torch import save_file
    net = timm.create_model('resnet18', num_classes=0)
    save_file(net.state_dict(), tmp_path/'w.safetensors')
    study = tlvs.compare('digits', sizes=[40], seeds=1, strategies=['linear_probe'], body='timm/resnet18', weights=tmp_path/'w.safetensors', size=32,
                         out=tmp_path/'out', progress=False, max_steps=20)
    model = study.train('linear_probe', progress=False)
    (tmp_path/'w.safetensors').unlink()
    again = load_model(tmp_path/'out')
    assert again.about.body == 'timm/resnet18' and torch.equal(again.net.head.weight, model.net.head.weight)


# ---- what is refused ----

def test_the_wrong_list_of_word_pieces_is_refused(bert, words):
    with pytest.raises(ValueError, match="numbered by the word pieces of MiniLM, and 'hf/.*has others; take the batches of task.read_by"):
        pretrained_learner(words.dls(n=40), bert)
    for name in ('minilm', 'bag'):
        with pytest.raises(ValueError, match=f"numbered by the word pieces of hf/.*, and '{name}' has others"): scratch_learner(words.read_by(bert).dls(n=40), name)


def test_a_data_block_of_ones_own(bert, words):
    import pandas as pd
    table = pd.DataFrame(dict(text=words.sources[:40], label=['a', 'b']*20))
    block = DataBlock(blocks=(tlvs.piece_block(32, reader=bert), CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(seed=0))
    learn = tlvs.pretrained_learner(block.dataloaders(table, bs=4), bert)
    quiet(learn, lambda: learn.fit(1, 1e-3))
    assert learn.model.name == bert


def test_more_pieces_than_places_are_refused(bert, words, tmp_path):
    assert places_of(hub_config(bert)) == 48
    with pytest.raises(ValueError, match='size must be from 4 to 48 word pieces for hf/'): words.read_by(bert).dls(n=40, size=64)
    with pytest.raises(ValueError, match='size must be from 4 to 48 word pieces for hf/'): tlvs.compare(words, body=bert, size=64, out=tmp_path, progress=False)


def test_a_pickle_is_never_loaded(mine, words, tmp_path):
    (mine/'model.safetensors').unlink()
    (mine/'pytorch_model.bin').write_bytes(b'cos\nsystem\n(S"touch /tmp/opened"\ntR.')
    for strategies in (['linear_probe'], ['nearest_neighbour']):
        with pytest.raises(FileNotFoundError, match='in pytorch_model.bin alone, a pickle that may run programs') as e:
            tlvs.compare(words, strategies=strategies, body=f'hf/{mine}', out=tmp_path/'out', progress=False)
        assert '\n' not in str(e.value)


def told(*args):
    from tl_vs_scratch.cli import app
    return CliRunner().invoke(app, ['compare', *args, '--sizes', '30', '--seeds', '1', '--strategies', 'linear_probe,scratch'])


def test_the_command(bert, tmp_path):
    result = told('emoji_words', '--body', bert, '--out', str(tmp_path/'out'), '--budget', '20s', '--jobs', '1')
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path/'out'/'summary.json').read_text())['n_classes'] == 5


@pytest.mark.parametrize('spoil, said', [
    (lambda path: (path/'config.json').unlink(), 'holds no config.json'),
    (lambda path: (path/'config.json').write_text('{"model_type": "gpt2"}'), 'is of the type gpt2'),
    (lambda path: shutil.rmtree(path), 'there is no folder'),
    (lambda path: (path/'model.safetensors').unlink(), 'holds no weights')])
def test_the_command_says_it_in_a_sentence(spoil, said, mine, tmp_path):
    spoil(mine)
    result = told('emoji_words', '--body', f'hf/{mine}', '--out', str(tmp_path/'out'))
    shown = ' '.join((result.stderr or result.output).split())
    assert result.exit_code in (1, 2) and said in shown and 'Traceback' not in shown, shown


def test_texts_only(bert, tmp_path):
    with pytest.raises(ValueError, match="reads texts, and these are pictures"): tlvs.compare('digits', body=bert, out=tmp_path, progress=False)


def test_without_transformers(bert, monkeypatch):
    from tl_vs_scratch.tasks import hubs
    monkeypatch.setattr(hubs, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match='needs the package transformers; install it: pip install transformers'): body_digest(bert)


def test_no_hub(monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    with pytest.raises(ConnectionError, match="'nobody/nothing' is no folder here, and cannot be fetched from the Hugging Face hub"): create_backbone('hf/nobody/nothing')


def test_only_a_vocabulary(mine, words):
    "As older models of BERT have it"
    vocabulary = tokenizer(f'hf/{mine}').get_vocab()
    (mine/'tokenizer.json').unlink()
    (mine/'vocab.txt').write_text('\n'.join(sorted(vocabulary, key=vocabulary.get)))
    assert piece_ids(words.sources[0], 20, f'hf/{mine}')[0] == vocabulary['[CLS]']


def test_as_a_classifier_of_scikit_learn(bert, words):
    model = tlvs.TransferClassifier('linear_probe', body=bert, max_steps=40, random_state=0)
    texts, classes = np.array(words.sources[:60], object), np.array([words.classes[k] for k in words.labels[:60]])
    model.fit(texts, classes)
    assert model.model_.reader == bert and set(model.predict(texts[:5])) <= set(classes)


def test_bodies_of_texts_are_ranked(bert, words):
    table = tlvs.rank_bodies(words, ['minilm', bert]).table
    assert table.body.tolist() == ['minilm', bert] and table.behind_low[1] > 0


def test_a_word_is_left_out_of_the_mean(body, words):
    "By the own word pieces, which know where in the text they are"
    from tl_vs_scratch.answers.marked import MeanOfWords, words_in
    text = 'sunset over buildings'
    probe = MeanOfWords(words, body, 60, 0, Settings())
    (states,), places = probe.states(text)
    assert states.shape == (len(places), 24)
    with torch.no_grad(): whole = probe.net.state_at(torch.tensor([piece_ids(text, 16, body)]), None)[0]
    assert np.allclose(states.mean(0), whole.numpy(), atol=1e-5)
    assert probe.falls(text, words_in(text)).shape == (3,) and probe.falls(text, [(0, 0)]) == 0
    covered = {k for a, b in places for k in range(a, b)}
    assert {k for k, c in enumerate(text) if c != ' '} <= covered
