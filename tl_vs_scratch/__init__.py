"""Train from scratch, reuse a pretrained network, or both: measured on your own labelled pictures

    import tl_vs_scratch as tlvs
    study = tlvs.compare(tlvs.emoji(), sizes=[50, 100], seeds=3)

The main names are looked up at first use (PEP 562), so importing the package does not import torch.
"""

import warnings as _warnings
from importlib import import_module as _import_module

# raised by a dependency of fastai on import, in every process; nothing a user could act on
_warnings.filterwarnings('ignore', message='.*torch.jit.script.*', category=FutureWarning)

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
    'networks.starts': 'only_statistics',
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
    'answers.atlas': 'atlas plot_atlas',
    'answers.shown': 'compare same_study Study Results StoredStudy',
    'fast.switch': 'faster',
}
_module_of = {name: module for module, names in _names.items() for name in names.split()}
_rooms = ('basics', 'tasks', 'networks', 'training', 'studies', 'answers', 'fast', 'cli')

__all__ = list(_module_of)


def __getattr__(name):
    "The main names, each from its module, the rooms themselves, and the version"
    if name in _rooms: return _import_module(f'{__name__}.{name}')
    if name == '__version__': value = _import_module('importlib.metadata').version('tl-vs-scratch')
    elif name in _module_of: value = getattr(_import_module(f'{__name__}.{_module_of[name]}'), name)
    else: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__, *_rooms})


def main():
    "The program `tl-vs-scratch`. Ctrl-C is one sentence from here on, also while Python reads the modules"
    import os, signal
    def stopped(*_): # no exception: one may get lost in an import
        os.write(2, b'\nstopped; nothing was changed\n')
        os._exit(130)
    signal.signal(signal.SIGINT, stopped)
    try: _import_module(f'{__name__}.cli').main()
    finally: signal.signal(signal.SIGINT, signal.SIG_IGN) # all is done or said
