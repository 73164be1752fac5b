"""Train from scratch, reuse a pretrained network, or both: measured on your own labelled pictures

    import tl_vs_scratch as tlvs
    study = tlvs.compare(tlvs.emoji(), sizes=[50, 100], seeds=3)

The main names are looked up at first use (PEP 562), so importing the package does not import torch.
"""

import warnings as _warnings
from importlib import import_module as _import_module
from importlib.metadata import version as _version

# raised by a dependency of fastai on import, in every process; nothing a user could act on
_warnings.filterwarnings('ignore', message='.*torch.jit.script.*', category=FutureWarning)

__version__ = _version('tl-vs-scratch')

_names = {
    'tasks.scores': 'Score SCORES',
    'tasks.pictures': 'Pictures',
    'tasks.texts': 'Texts',
    'tasks.task': 'Task make_task',
    'tasks.builtin': 'emoji digits emoji_words languages',
    'tasks.frames': 'from_csv from_frame',
    'tasks.in_memory': 'from_examples from_dataset',
    'tasks.loading': 'piece_block',
    'tasks.sources': 'from_folder from_fastai load_task',
    'networks.names': 'list_backbones',
    'networks.staged': 'StagedNet',
    'networks.bodies': 'create_backbone convnet',
    'networks.grafts': 'graft',
    'networks.all_stages': 'all_stages',
    'training.recipes': 'Phase Strategy STRATEGIES Settings Anytime OneCycle StageByStage ThawOnPlateau',
    'training.rivals': 'Rival RIVALS',
    'training.learners': 'scratch_learner pretrained_learner all_stages_learner graft_learner hybrid_learner',
    'training.unfreezing': 'stage_table freeze_to audit_frozen discriminative_lrs GradualUnfreezing UnfreezeOnPlateau',
    'training.costs': 'CostMeter',
    'training.tables': 'cached_tables clear_cache',
    'training.features': 'task_features',
    'training.caching': 'cached_prefix',
    'training.trial': 'run_trial',
    'training.estimators': 'TransferClassifier',
    'training.models': 'Model load_model save_model',
    'answers.intervals': 'accuracy_interval score_interval paired_difference',
    'answers.curves': 'crossover label_efficiency',
    'answers.extrapolation': 'extrapolate expected_crossover',
    'answers.verdicts': 'verdicts',
    'answers.summary': 'summarise',
    'answers.plots': 'plot_learning_curves plot_cost_accuracy plot_overfitting_gap plot_lrs show_predictions',
    'answers.timelines': 'plot_timeline',
    'answers.explorers': 'lr_explorer',
    'answers.growing': 'crossover_explorer',
    'answers.dice': 'dice_explorer',
    'answers.freezing': 'freezing_explorer',
    'answers.maps': 'map_explorer feature_map',
    'answers.explore': 'explore',
    'answers.marked': 'marked_texts',
    'answers.report': 'write_report',
    'answers.probes': 'probe_curve ProbeCurve',
    'answers.ranking': 'rank_bodies Ranking',
    'answers.rules': 'rules prior',
    'answers.doctor': 'doctor',
    'answers.bills': 'bills bill_table energy_meter pretraining_bill',
    'answers.fronts': 'cost_front plot_cost_front',
    'answers.shown': 'compare same_study Study Results StoredStudy',
    'fast.switch': 'faster',
}
_module_of = {name: module for module, names in _names.items() for name in names.split()}
_rooms = ('basics', 'tasks', 'networks', 'training', 'studies', 'answers', 'fast', 'cli')

__all__ = list(_module_of)


def __getattr__(name):
    "The main names, each from its module, and the rooms themselves"
    if name in _rooms: return _import_module(f'{__name__}.{name}')
    if name not in _module_of: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(_import_module(f'{__name__}.{_module_of[name]}'), name)
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__, *_rooms})
