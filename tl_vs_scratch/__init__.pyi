"What editors and type checkers know of the public names. Written by docs/stubs.py; do not edit."

from dataclasses import dataclass
from typing import Any
from collections.abc import Callable
from fastai.callback.core import Callback
from fastai.callback.tracker import TrackerCallback
from fastai.data.block import TransformBlock
from fastai.learner import Learner
from ipywidgets.widgets.widget import Widget
from ipywidgets.widgets.widget_box import VBox
from numpy import ndarray
from pandas import DataFrame
from pathlib import Path
from sklearn.base import BaseEstimator
from sklearn.base import ClassifierMixin
from tl_vs_scratch.answers.bills import Pretraining
from tl_vs_scratch.answers.bills import PretrainingBill
from tl_vs_scratch.answers.doctor import Checkup
from tl_vs_scratch.answers.extrapolation import Extrapolation
from tl_vs_scratch.answers.intervals import Prior
from tl_vs_scratch.answers.maps import FeatureMap
from tl_vs_scratch.answers.marked import MarkedTexts
from tl_vs_scratch.answers.rules import Opinion
from tl_vs_scratch.answers.summary import Summary
from tl_vs_scratch.networks.staged import Activations
from tl_vs_scratch.studies.crews import Crew
from tl_vs_scratch.studies.plan import Planned
from tl_vs_scratch.studies.race import Race
from tl_vs_scratch.studies.store import Store
from tl_vs_scratch.tasks.kinds import SingleLabel
from tl_vs_scratch.tasks.media import Medium
from tl_vs_scratch.training.models import About
from tl_vs_scratch.training.recipes import Entrant
from tl_vs_scratch.training.recipes import Trial
from tl_vs_scratch.training.recipes import UntilPlateau
from tl_vs_scratch.training.unfreezing import Thaw
from torch import Tensor
from torch.nn.modules.module import Module

__version__: str

@dataclass(frozen=True, kw_only=False)
class Score:
    "A value per example with a name, a unit and a better end"
    name: str
    title: str
    unit: str
    higher_is_better: bool
    per_example: Callable
    guessing: Callable
    guess_title: str
    by_class: bool = ...
    @property
    def is_share(self) -> bool:
        "Does it run from 0 to 1?"
    @property
    def best(self) -> float:
        "What cannot be surpassed"
    def values(self, outputs, targets) -> ndarray:
        "Each example's value; their mean is the score"
    def gains(self, values):
        "The same numbers turned so that more is better"
    def guess(self, labelled, targets, n_classes) -> float:
        "What somebody gets who knows only how frequent the classes are"
    def write(self, value) -> str:
        "For a table"
    def say(self, value) -> str:
        "For a sentence"
    def amount(self, difference) -> str:
        "How large a difference is, without its sign, for a sentence"
    def difference(self, difference) -> str:
        "A difference with its sign and without its unit; small ones keep a digit more"
    def axis(self, part = ...) -> str:
        "For the axis of a plot"

SCORES: dict

@dataclass(frozen=True, kw_only=False)
class Pictures(Medium):
    "Pictures of `size` pixels a side"
    size: int = ...
    mode: str = ...
    flip: bool = ...
    @property
    def identity(self): ...
    def digest(self, source): ...
    def near_copies(self, task, some, others):
        "By sketches of the squares; cropped copies are not found"
    def sketch(self, task, i: int) -> ndarray:
        "Of one example; of the square that is kept, if one is"
    def work(self, size): ...
    def excerpt(self, source):
        "A WebP file of the square that the networks see"
    def blank(self, folder, size): ...
    def draw(self, ax, source): ...
    def input_block(self, task, size): ...
    def item_transforms(self, size): ...
    def batch_transforms(self):
        "Mirrored, turned by up to 10 degrees, scaled by up to a tenth, lit a little differently"
    def plain_features(self): ...

@dataclass(frozen=True, kw_only=False)
class Texts(Medium):
    "Texts of up to `size` word pieces"
    size: int = ...
    reader: str = ...
    def read_by(self, body): ...
    def as_dict(self): ...
    def size_words(self, size = ...): ...
    def work(self, size): ...
    def alike(self, digest): ...
    def blank(self, folder, size): ...
    def near_copies(self, task, some, others):
        "By the shingles that they share"
    def digest(self, source): ...
    def pieces(self, source, size: int, digest: str | None = ...) -> list[int]:
        "Numbers of the word pieces; kept where there is a digest, since each epoch asks again"
    def largest(self, task): ...
    def excerpt(self, source):
        "The first characters, as UTF-8"
    def draw(self, ax, source): ...
    def gallery(self, rows, columns): ...
    def input_block(self, task, size): ...
    def plain_features(self): ...

@dataclass(frozen=False, kw_only=False)
class Task:
    "Labelled examples, their classes, a fixed test set, and what they are"
    name: str
    sources: list
    ids: list
    labels: ndarray
    classes: list
    is_test: ndarray
    digests: list
    medium: Medium
    kind: SingleLabel = ...
    score: Score | str | None = ...
    dropped: DataFrame = ...
    credit: str = ...
    groups: ndarray | None = ...
    origin: dict | None = ...
    def __len__(self): ...
    @property
    def n_classes(self) -> int: ...
    @property
    def test_idxs(self) -> ndarray: ...
    @property
    def labelled_idxs(self) -> ndarray: ...
    @property
    def labels_available(self) -> int: ...
    @property
    def min_labels(self) -> int: ...
    @property
    def positions(self) -> dict: ...
    @property
    def watched(self) -> ndarray:
        "The test examples that are looked at on the way of a training: all, or so many in the classes' proportions"
    @property
    def fingerprint(self) -> str:
        "Changes with any example, label, class name, the split, or the examples' order, which decides the subsets"
    def with_score(self, score: str | Score) -> Task:
        "The same task, judged by another score"
    def read_by(self, body) -> Task:
        "The same task as a network reads it; `hf/NAME` reads texts by word pieces of its own"
    def paths(self, idxs) -> list[Path]:
        "The names of examples as fastai's loaders take them"
    def subset(self, n: int | None = ..., seed: int = ...) -> tuple[ndarray, ndarray]:
        "`n` labelled examples, stratified; for one seed, smaller subsets are inside larger ones"
    def sides_of_groups(self, chosen: ndarray) -> ndarray:
        "Which of these examples validate, where groups stay together"
    def check_size(self, n: int):
        "Stop with one sentence where `n` labels cannot be drawn"
    def dls(self: Task, n: int | None = ..., seed: int = ..., bs: int = ..., size: int | None = ..., augment: bool = ..., num_workers: int = ...):
        "Plain fastai `DataLoaders` of `n` labelled examples"
    def test_dl(self: Task, dls, which = ...):
        "The test set as a fastai `DataLoader` that goes with `dls`: unaugmented, in the order of `test_idxs`"
    def show(self: Task, columns: int | None = ...):
        "A row of labelled examples per class"
    def summary_table(self: Task) -> DataFrame:
        "Labelled and test examples per class"
    def left_out(self: Task, most: int = ...) -> list[str]:
        "What was left out and why, in words"

def make_task(name: str, sources: list, ids: list, labels, classes: list, medium: Medium, is_test = ..., test_share: float = ..., left_out: dict | None = ..., groups = ..., **kwargs) -> Task:
    "A checked `Task`: unreadable examples, copies and conflicting labels are left out and listed in `dropped`"

def emoji(artist: str = ..., test_share: float = ...) -> Task:
    "Is it an animal, a face, food, a place or a vehicle? 515 small pictures"

def digits(test_share: float = ...) -> Task:
    "Scikit-learn's 1,797 handwritten digits: the counter-example, where pretraining on photographs helps little"

def emoji_words(test_share: float = ...) -> Task:
    "Is the name of an emoji that of an animal, a face, food, a place or a vehicle? 515 short texts"

def languages(most: int = ..., test_share: float = ...) -> Task:
    "In which of ten languages is it? 1,800 sentences: the counter-example, where counting letters wins"

def from_csv(path: str | Path, text: str = ..., label: str = ..., split: str | None = ..., group: str | None = ..., name: str | None = ..., **kwargs) -> Task:
    "A task from a file that holds a table"

def from_frame(table: DataFrame, text: str = ..., label: str = ..., split: str | None = ..., group: str | None = ..., name: str = ..., size: int | None = ..., folder: Path | str = ..., left_out: dict | None = ..., where: str = ..., **kwargs) -> Task:
    "A task from a table"

def from_examples(examples, labels, name: str = ..., size: int | None = ..., **kwargs) -> Task:
    "A task from what is in memory"

def from_dataset(dataset, text: str | None = ..., label: str | None = ..., name: str = ..., size: int | None = ..., **kwargs) -> Task:
    "A task from a dataset of the Hugging Face library"

def piece_block(size: int = ..., read = ..., reader: str = ...) -> TransformBlock:
    "fastai's block for texts that a pretrained network reads, in place of its own `TextBlock`"

def from_folder(path: str | Path, name: str | None = ..., size: int | None = ..., mode: str = ..., flip: bool = ..., **kwargs) -> Task:
    "A task from a folder of pictures, or of texts"

def from_fastai(name: str) -> Task:
    "One of fastai's data sets, fetched on first use"

def load_task(data: str | Path | Task, **columns) -> Task:
    "The task that `data` names"

def list_backbones() -> list[str]:
    "The best known of the names that `create_backbone` takes"

class StagedNet(Module):
    "A body of named stages and a head; enters at stage `cut` where it is given `Activations`"
    stages: Any
    entry: Any
    head: Any
    name: Any
    start: Any
    n_features: Any
    example: Any
    def __init__(self, stages: dict, head: Module | None = ..., entry: Module | None = ..., name: str = ..., start: str = ..., n_features: int | None = ..., example = ...) -> None: ...
    @property
    def stage_names(self) -> list: ...
    def state_at(self, x, upto: int | None):
        "From wherever `x` stands through the first stages"
    def trimmed(self, state: Tensor) -> Tensor:
        "A kept state (batch, ...) without what only longer examples need, where the entry knows of such"
    def activations(self, x, cut: int) -> Activations:
        "The state after the first `cut` stages, ready to be given to `forward` in place of the batch `x`"
    def forward(self, x): ...

def create_backbone(body = ..., pretrained: bool = ..., in_channels: int = ..., image_size: int | tuple | None = ..., weights = ...) -> StagedNet:
    "A network as named stages, proved to give the same output as the original; your own modules are copied"

def convnet(widths: tuple = ..., in_channels: int = ...) -> StagedNet:
    "A small network to train from scratch: one 3x3 convolution, BatchNorm and ReLU per stage, each halving the picture"

def graft(net: StagedNet, cut: int | str, new = ..., in_channels: int | None = ...) -> StagedNet:
    "A body whose stages after `cut` are replaced by new modules"

def only_statistics(net: StagedNet) -> StagedNet:
    "A start that keeps only mean and variance of each pretrained weight tensor (Raghu et al. 2019)"

def all_stages(net: StagedNet) -> StagedNet:
    "A body that gives what each of its stages gives"

@dataclass(frozen=True, kw_only=True)
class Phase:
    "Train these stages with these learning rates, until it is done or for so many steps"
    train: str | int
    lr: float = ...
    decay: float | None = ...
    steps: int | None = ...
    epochs: float = ...
    schedule: Anytime = ...
    def frozen(self, n_stages: int) -> int:
        "How many leading stages of a body with so many stay frozen"
    @property
    def heads_only(self) -> bool:
        "Is the body frozen from start to end?"
    def length(self, batches: float) -> float:
        "Steps, where an epoch has so many batches; infinite where nobody has set them"
    def sentence(self) -> str:
        "The phase in words"
    def duration(self) -> str: ...
    def trained(self) -> str: ...

@dataclass(frozen=True, kw_only=False)
class Strategy:
    "A start and a list of phases"
    name: str
    start: str
    phases: tuple
    cut: int | str | None = ...
    all_stages: bool = ...
    about: str = ...
    color: str = ...
    marker: str = ...
    def check_all_stages(self):
        "Stop with one sentence where a head on all stages makes no sense"
    def parts(self, n_stages: int) -> list[Phase]:
        "What is run, one after the other, in a body of so many stages"
    def cuts(self, n_stages: int) -> set:
        "How many leading stages are frozen, in one phase or another"
    def sentence(self, body: str) -> str:
        "The start and the phases in words"
    def for_body(self, body) -> Strategy:
        "The same at the rates that suit a body"
    def recipe(self) -> list:
        "What decides the training: all but words and looks"

STRATEGIES: dict

@dataclass(frozen=True, kw_only=False)
class Settings:
    "What all trials of a study share"
    size: int | None = ...
    bs: int = ...
    augment: bool = ...
    tune: int = ...
    max_steps: int = ...
    views: int = ...
    precision: str = ...
    @property
    def lr_factors(self) -> list:
        "Factors on the learning rates to try: 1, then a half power of ten down and up, a whole one down and up ..."
    def batches(self, n: int) -> float:
        "Steps that make a pass over the training examples, about: one in five labels is for validation"

@dataclass(frozen=True, kw_only=False)
class Anytime:
    "The rate rises, then stays; the weights that count are a running average; over when the path has flattened"
    warm_up: int = ...
    newest: float = ...
    def parts(self, phase, n_stages: int) -> tuple:
        "The phases to run, one after the other, in a body of so many stages"
    def cuts(self, phase, n_stages: int) -> set:
        "How many leading stages are frozen, at one time or another"
    def next_look(self, step: int) -> float:
        "The step of the phase at which to look at the validation examples, besides the checkpoints"
    def is_over(self, looks: list) -> bool:
        "From all that was seen of the validation examples in this part: `Look`s, in order"

@dataclass(frozen=True, kw_only=False)
class OneCycle(Anytime):
    "The rate rises to its peak and falls again (Smith 2018), over a length that is known beforehand"
    warm_up: int = ...
    newest: float = ...
    def fit(self, learn, epochs: int, lrs: list, cbs: list):
        "Train for so many epochs of `learn.dls`"

@dataclass(frozen=True, kw_only=False)
class StageByStage(Anytime):
    "One more stage every so many steps, from the top (Howard & Ruder 2018)"
    warm_up: int = ...
    newest: float = ...
    def parts(self, phase, n_stages): ...

@dataclass(frozen=True, kw_only=False)
class ThawOnPlateau(UntilPlateau):
    "One more stage each time that the validation loss stops falling; then all of them until the path has flattened"
    warm_up: int = ...
    newest: float = ...
    every: int = ...
    def parts(self, phase, n_stages): ...

@dataclass(frozen=True, kw_only=False)
class Rival:
    "A model that trains no network, and what it sees"
    name: str
    title: str
    sees: str
    fit: Callable
    params: tuple = ...
    about: str = ...
    color: str = ...
    marker: str = ...
    start: str = ...
    @property
    def uses_body(self) -> bool: ...
    def called(self, medium: Medium) -> str:
        "The title in a study of this medium"
    def recipe(self) -> list:
        "What decides its outputs: all but words and looks"

RIVALS: dict

def scratch_learner(dls, body = ..., **kwargs) -> Learner:
    "A `Learner` that starts from random weights: nothing is frozen"

def pretrained_learner(dls, body = ..., **kwargs) -> Learner:
    "A `Learner` that starts from pretrained weights, with the body frozen as in fastai's `vision_learner`"

def all_stages_learner(dls, body = ..., **kwargs) -> Learner:
    "A `Learner` whose head sees what every stage of a frozen pretrained body gives"

def graft_learner(dls, body = ..., cut: int | str = ..., new = ..., **kwargs) -> Learner:
    "A `Learner` of new modules, trained from scratch, on a frozen pretrained trunk"

def hybrid_learner(dls, body = ..., cut: int | str = ..., new = ..., **kwargs) -> Learner:
    "A `Learner` of new modules, trained from scratch, on a frozen pretrained trunk"

def stage_table(learn: Learner) -> DataFrame:
    "Each stage's parameters, how many are trained, its BatchNorm, learning rate and output shape for one batch"

def freeze_to(learn: Learner, n: int | str) -> Learner:
    "Train the groups from `n` on and keep those before strictly frozen; the optimiser keeps what it knows of the rest"

def audit_frozen(learn: Learner, raise_error: bool = ...):
    "Names every weight, buffer and optimiser state of a frozen stage that moves within the block; raises `FrozenMoved`"

def discriminative_lrs(lr: float, stages: int | Learner, decay: float | None = ...) -> list[float]:
    "Learning rates that shrink geometrically from the head to the input (Howard & Ruder 2018)"

class GradualUnfreezing(Thaw):
    "The head, then one more stage from the top every so often (Howard & Ruder 2018); `history` lists (step, stage)"
    every: Any
    unit: Any
    def __init__(self, every: int = ..., unit: str = ...) -> None: ...
    @property
    def most(self): ...
    def before_fit(self): ...
    def before_epoch(self): ...
    def before_batch(self): ...

class UnfreezeOnPlateau(Thaw, TrackerCallback):
    "The head, then one more stage each time that validation stops getting better; `history` lists (step, stage)"
    patience: Any
    waited: Any
    def __init__(self, monitor: str = ..., patience: int = ..., min_delta: float = ...) -> None: ...
    @property
    def most(self): ...
    def before_fit(self): ...
    def after_epoch(self): ...

class CostMeter(Callback):
    "Measures every fit it is a callback of, and every `with` block; adds up"
    steps: Any
    flops: Any
    trainable_params: Any
    peak_memory_mb: Any
    def __init__(self) -> None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def running(self) -> bool: ...
    def paused(self):
        "A block whose time is not counted"
    def charge(self, seconds, flops = ...):
        "Count work that was done before, or elsewhere, as if it had been done now"
    def reading(self) -> dict:
        "What it shows, to be kept with an unfinished training"
    def recall(self, reading: dict):
        "Go on from what it showed then"
    def __enter__(self: CostMeter): ...
    def __exit__(self: CostMeter, *exc): ...
    def before_fit(self: CostMeter): ...
    def after_fit(self: CostMeter): ...
    def before_batch(self: CostMeter): ...
    def after_step(self: CostMeter): ...
    def after_batch(self: CostMeter): ...

def cached_tables() -> DataFrame:
    "The files of the cache, the last used first"

def clear_cache() -> int:
    "Remove every table; gives how many there were"

def task_features(task: Task, body = ..., size: int | None = ..., precision: str = ..., all_stages: bool = ...) -> ndarray:
    "What the whole pretrained body makes of each example of a task; computed once, then read from the cache"

def cached_prefix(learn, views: int = ..., precision: str = ..., task: Task | None = ..., meter: CostMeter | None = ...):
    "Within this block, training and validation start from activations of the frozen stages, each computed once"

def run_trial(task: Task, strategy: str | Strategy | Entrant, n: int, seed: int = ..., body = ..., settings: Settings = ..., keep = ..., stop = ..., cbs = ...) -> Trial:
    "Train one strategy with `n` labels until it is done, and measure it on the test set on the way"

class TransferClassifier(ClassifierMixin, BaseEstimator):
    "A classifier: a network from scratch, pretrained, or both"
    length_: Any
    model_: Any
    strategy: Any
    body: Any
    size: Any
    max_steps: Any
    random_state: Any
    verbose: Any
    classes_: Any
    def __init__(self, strategy = ..., body = ..., size: int | None = ..., max_steps: int = ..., random_state = ..., verbose: bool = ...) -> None: ...
    def fit(self, X, y) -> TransferClassifier:
        "Train: first to see how long, then on all examples"
    def train(self, task: Task, seed: int):
        "See how long, then train on all labels of the task"
    def seed(self) -> int:
        "As `random_state` says"
    def predict_proba(self, X) -> ndarray:
        "How probable each class is; raises ValueError where an example cannot be read"
    def predict(self, X) -> ndarray:
        "The most probable class of each example"

class Model:
    "A trained network, and what its answers mean"
    card: Any
    medium: Any
    dls: Any
    net: Any
    about: Any
    folder: Any
    examples: Any
    def __init__(self, net: StagedNet, about: About, folder: Path | None = ..., examples: list | None = ...) -> None: ...
    @property
    def classes(self) -> list: ...
    @property
    def reader(self) -> str: ...
    def outputs(self, sources: list, progress: bool = ...) -> tuple:
        "What the network says to each example"
    def predict(self, what, progress: bool = ..., text: str = ...) -> DataFrame:
        "The most probable classes of each example"
    def learner(self: Model, dls = ..., **kwargs) -> Learner:
        "A plain fastai `Learner` with a copy of the network, nothing of it frozen"
    def save(self: Model, folder) -> Path:
        "Write it into a folder, as data"
    def to_onnx(self: Model, path, examples = ...):
        "Write it for other programs, checked on real examples: see `exports`"

def load_model(folder, body = ...) -> Model:
    "Read a model; what is missing, damaged, a pickle or of another version is refused"

def save_model(folder, model: Model) -> Path:
    "Write a model as data, and no pickle"

def accuracy_interval(values: ndarray, prior: Prior | None = ..., share: bool | None = ..., classes = ...) -> tuple:
    "Mean score with its 95% interval over seeds and test examples"

def score_interval(values: ndarray, prior: Prior | None = ..., share: bool | None = ..., classes = ...) -> tuple:
    "Mean score with its 95% interval over seeds and test examples"

def paired_difference(a: ndarray, b: ndarray, prior: Prior | None = ..., share: bool | None = ..., among: int = ...) -> tuple:
    "How much better `a` is than `b`, with its 95% interval over seeds and test examples"

def crossover(differences: DataFrame, correlation = ...) -> dict:
    "The number of labels at which scratch passes the pretrained network, with its 95% interval"

def label_efficiency(gains: ndarray, n: int, scratch: dict) -> dict:
    "How many labels more scratch needs for the same score, with a 95% interval (nan with fewer than three seeds)"

def extrapolate(study, strategy: str, up_to: int | None = ...) -> Extrapolation:
    "The learning curve of a strategy, beyond the largest size"

def expected_crossover(study, pretrained: str, scratch: str) -> dict | None:
    "Where scratch will probably pass the pretrained network, beyond the largest size (see `crossover` for within)"

def verdicts(study, a: str | None, b: str | None, n: int) -> tuple:
    "Which of two is better, in four senses"

def summarise(study, margin: float | None = ...) -> Summary:
    "Scores, paired differences, crossover, verdicts and advice of a study"

def plot_learning_curves(study, ax = ..., table = ...):
    "The test score against labels, with 95% bands over seeds and test examples"

def plot_cost_accuracy(study, cost: str = ..., ax = ..., table = ...):
    "The test score against the cost of one training; a line joins a strategy's sizes, its markers grow with the labels"

def plot_overfitting_gap(study, ax = ...):
    "How much better the score is in training than in the test, against labels; a dot per seed, the line is their mean"

def plot_lrs(lrs, names = ..., ax = ...):
    "A bar per stage: its learning rate"

def show_predictions(study, strategy: str, n: int | None = ..., seed: int = ..., columns: int = ...):
    "Test examples that a trial got right (above) and wrong (below), with what it took them for"

def plot_timeline(study, n: int | None = ..., ax = ..., table = ...):
    "The test score against the seconds of training, with the leader's band"

def lr_explorer(of = ..., lr: float = ...) -> VBox:
    "Sliders for decay and frozen stages; a bar for the rate of each stage and the count of what is trained"

def crossover_explorer(of) -> VBox:
    "Sliders for labels and seconds of training: the lines grow, the leader changes, examples turn right or wrong"

def dice_explorer(of, a: str | None = ..., b: str | None = ..., n: int | None = ...) -> VBox:
    "Roll seed after seed: who won this time, how often so far, and what one can say about the difference"

def freezing_explorer(of) -> VBox:
    "Sliders for what is trained and for labels: points, seconds, gap, and which stages stay ice"

def map_explorer(of, nets: dict | None = ..., **settings) -> VBox:
    "Sliders for the stage and for whose weights: the examples on the map of what the network makes of them"

def feature_map(task, nets: dict | None = ..., body = ..., many: int = ..., size: int | None = ...) -> FeatureMap:
    "Where each stage of each network puts some of the test examples"

def explore(of = ...) -> Widget:
    "Sliders to find out what a study has found: who leads when, what a seed decides, what freezing brings"

def marked_texts(study, strategy: str, n: int | None = ..., most: int = ...) -> MarkedTexts:
    "Test texts with the words marked that a strategy weighs most"

def write_report(study, path = ..., summary: Summary | None = ...) -> Path:
    "Write everything about a study into one HTML file"

def probe_curve(task = ..., sizes = ..., seeds: int = ..., body = ..., size: int | None = ..., all_stages: bool = ..., progress: bool = ...) -> ProbeCurve:
    "The pretrained network's learning curve with a linear head: one pass, then a model per seed and size"

@dataclass(frozen=False, kw_only=False)
class ProbeCurve:
    "The score of a linear probe at several numbers of labels, with many seeds"
    task: Task
    body: str
    values: dict
    score: Score | None = ...
    all_stages: bool = ...
    @property
    def table(self) -> DataFrame:
        "A row per number of labels: n, seeds, score, low, high (95% over seeds and test examples)"
    @property
    def title(self) -> str: ...
    def shown(self) -> DataFrame:
        "The table for people"
    def plot(self: ProbeCurve, ax = ...):
        "The test score against labels; the band is the 95% interval over seeds and test examples"
    def scratch_gains(self: ProbeCurve, study, strategy: str = ...) -> dict:
        "What a study's strategy reached at each size; raises ValueError where the two cannot be compared"
    def worth(self: ProbeCurve, study, strategy: str = ..., n: int | None = ...) -> dict:
        "How many labels the pretrained weights were worth"
    def sentence(self: ProbeCurve, study, strategy = ..., n = ...) -> str:
        "`worth` in words"

def rank_bodies(task = ..., bodies = ..., size: int | None = ..., all_stages: bool = ...) -> Ranking:
    "Which pretrained body suits a task: what a linear model makes of its features, each labelled example left out once"

@dataclass(frozen=False, kw_only=False)
class Ranking:
    "How well a linear model and the nearest neighbours do on the features of each body"
    task: Task
    right: dict
    neighbours: dict
    millions: dict
    @property
    def table(self) -> DataFrame:
        "A row per body, the best first: accuracy with low and high, neighbours, millions, behind with its ends, tied"

def rules(labels: int, classes: int | None = ..., near: bool | None = ..., compute: bool | None = ..., free_architecture: bool = ..., plateau: bool = ..., shifted: bool = ...) -> Opinion:
    "The rules of thumb that apply to a task, and what they say together: a prior, no evidence"

def prior(labels: int, **known) -> str | None:
    "What somebody would take who measures nothing: the baseline of `benchmarks.advice`"

def doctor(what = ..., loader = ..., lr = ..., task = ..., groups = ..., loss_func = ..., opt = ...) -> Checkup:
    "Look for what goes wrong most often; everything stays as it was"

def bills(study, **given) -> DataFrame:
    "Energy, money and CO2 of each trial, each marked 'measured', 'estimated' or 'not computed'"

def bill_table(each: DataFrame) -> DataFrame:
    "What one training of each strategy costs, on average over the seeds"

def energy_meter(watts_per_thread: float | None = ...):
    "The energy of what runs inside, in this process: measured where that is possible, else estimated"

def pretraining_bill(body: str | Pretraining, uses: int, kwh_per_flop: float | None = ..., per_kwh: float | None = ..., grid: float | None = ...) -> PretrainingBill:
    "The share of one use in the bill of pretraining"

def cost_front(table: DataFrame, cost: str = ..., n: int | None = ..., higher_is_better: bool = ...) -> DataFrame:
    "The strategies that no other beats in both score and cost"

def plot_cost_front(table: DataFrame, ax = ..., cost: str = ..., n: int | None = ..., study = ...):
    "Score against cost of each strategy, with the front of those that no other beats in both"

def atlas() -> DataFrame:
    "What pretrained weights were worth on every task measured so far: a row per task and number of labels"

def plot_atlas(rows: DataFrame, mine: DataFrame | None = ..., ax = ...):
    "What pretrained weights brought, against labels per class, with 95% intervals"

def compare(task = ..., sizes = ..., seeds: int | None = ..., strategies = ..., preset: str = ..., body = ..., score = ..., out = ..., jobs: int | None = ..., fresh: bool = ..., progress: bool = ..., budget = ..., margin: float = ..., weights = ..., cbs = ..., backend: str = ..., address: str | None = ..., **settings) -> Study:
    "From scratch, pretrained, or both? Train what can change the answer (or what of it is missing) and give the study"

def same_study(file, task = ..., out = ..., progress: bool = ...) -> Study:
    "What was asked there, before anything of it is trained here; `run` it with a budget, or without"

class Study(Results):
    "Strategies x sizes x seeds on one task; finished trials are kept in `out/study.db`"
    cbs: Any
    entrants: Any
    row: Any
    trained: Any
    began: Any
    budget: Any
    within: Any
    def __init__(self, task: Task, strategies = ..., sizes = ..., seeds: int = ..., body = ..., settings: Settings = ..., out = ..., cbs = ...) -> None: ...
    def run(self, jobs: int | None = ..., fresh: bool = ..., progress: bool = ..., budget = ..., margin: float = ..., backend: str = ..., address: str | None = ...) -> Study:
        "Train what is missing; interrupted, it keeps what is done"
    def begin_run(self, budget: float | str | None, margin: float):
        "Note that a run begins, and remove what a killed one was writing"
    def alone(self):
        "Within this block no other process has a run in this folder; waits for one that has"
    def raced(self) -> float:
        "Seconds that went into races over this grid: a budget is the study's, not a run's"
    @property
    def unfinished(self) -> Path:
        "Where trainings are put away that are not over"
    def forget(self): ...
    def missing(self) -> list[Planned]:
        "What of the grid is not trained to its end"
    def remember(self, on):
        "Note all that a report needs besides the trials; `on` which machine they were trained, None before they are"
    def note_run(self, on):
        "Note where this run is at work, and what of the budget it has spent so far: it may be killed at any time"
    def racing_for(self) -> float:
        "Seconds of the present race"
    def keep(self, trial):
        "Keep what came of a training; one that is done needs its unfinished state no more"
    def call(self, planned: Planned, seconds = ..., flops = ...):
        "What a worker is asked to do"
    def time_guesses(self) -> dict:
        "How long a trial may take, before any is timed"
    def plan_words(self: Study, todo: list, jobs: int, seconds: float) -> str:
        "What is going to be trained, in a sentence"
    def train_all(self: Study, todo: list, crew: Crew, progress: bool):
        "Train these trials, each to its end"
    def race(self: Study, race: Race, crew: Crew, progress: bool):
        "Train what can change the answer, until the answer is clear enough or the budget is spent"
    def race_words(self: Study, budget: str, jobs: int) -> str:
        "What is going to be done, in a sentence"

class Results:
    "The trials of a study, read from the folder that `compare` wrote"
    trained: Any
    seen: Any
    answers: Any
    task: Any
    strategies: Any
    digests: Any
    sizes: Any
    seeds: Any
    settings: Any
    out: Any
    store: Any
    def __init__(self, folder, score: str | Score | None = ...) -> None: ...
    def read_about(self, about: dict, store: Store, score):
        "Say what the study is, as the file says it"
    def describe(self, task: Task, arms: dict, digests: dict, sizes: list, seeds: int, settings: Settings, out: Path, store: Store):
        "Say what the study is"
    def about(self) -> dict:
        "What the study is, as JSON can hold it; read back by `Results`"
    def recipe(self) -> dict:
        "What it takes to run the same study again, on another machine, too; see `study_again`"
    def last_said(self, what: str):
        "What the last run over this grid that said something of it said; None where none did"
    @property
    def margin(self) -> float:
        "How much worse than the best is as good, in the score's unit: as it was run"
    def is_same(self, other: dict) -> bool:
        "Is a study that was remembered this grid?"
    @property
    def score(self) -> Score: ...
    @property
    def medium(self): ...
    @property
    def grid(self) -> list:
        "Every trial that the study should have"
    def with_score(self, score: str | Score) -> Results:
        "The same trials, judged by another score"
    def trials(self) -> list[Trial]:
        "The trials of this grid that were trained, or failed, in the grid's order, with their scores"
    def made(self, what, make):
        "What was made of the trials before; made anew where the file or the score has changed"
    def read_trials(self): ...
    def scores(self, trial: Trial, targets: dict) -> dict:
        "The columns of a trial that depend on the score"
    @property
    def results(self) -> DataFrame:
        "One row per trial that was trained, or failed"
    def finished(self) -> list[Trial]:
        "Those that can be measured: done, or stopped while still learning"
    def check_begun(self):
        "Raises ValueError with one sentence where nothing can be measured yet"
    def learning(self) -> dict:
        "Which trials were stopped before they were done"
    def values(self, part: str = ...) -> dict:
        "What each example counts in the study's score, for every finished trial that has outputs for it"
    def read_values(self, part: str) -> dict: ...
    def targets(self, part: str, n: int, seed: int) -> ndarray:
        "The right answers to what a trial has outputs for"
    def targets_of(self, n: int, seed: int) -> dict:
        "The same of each part; to draw a subset of a million labels takes a second"
    def guesses(self, n: int) -> dict:
        "What the finished trials with `n` labels took the test examples for"
    def paths(self):
        "Every finished trial with its path, one after the other; a rival has none, for it trains nothing"
    def courses(self, part: str = ..., tuned: bool = ...) -> dict:
        "How the score went, from checkpoint to checkpoint"
    def read_courses(self, part: str, tuned: bool) -> dict: ...
    @property
    def checkpoints(self) -> DataFrame:
        "One row per checkpoint, at the strategies' own rates"
    def tracebacks(self) -> dict:
        "Where failed trials failed"
    @property
    def runs(self) -> list[dict]:
        "When and where trials of this study were trained"
    def excerpts(self) -> dict:
        "Small copies of test examples, of the medium's `excerpt_type`"
    def write_csv(self):
        "`results.csv`, replaced as a whole"
    def summary(self: Results, margin: float | None = ...):
        "The answer in words, the table behind it, and everything `summary.json` holds"
    def plot(self: Results, ax = ...):
        "Learning curves with 95% bands"
    def report(self: Results, path = ..., summary = ...) -> Path:
        "Everything about the study in one HTML file: `report.html` in its folder where no `path` is given"
    def place(self: Results):
        "Beside every task measured so far: what pretrained weights were worth there, and here"
    def train(self: Results, strategy: str | None = ..., out = ..., data = ..., progress: bool = ..., budget = ...):
        "Train a strategy on all labels, measure it on the test examples, and write model and card into a folder"

StoredStudy = Results

def faster():
    "Within this block, compute in the faster ways"
