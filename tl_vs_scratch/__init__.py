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
    'data': 'Task',
    'tasks': 'emoji digits from_folder from_fastai',
    'cpu': '',
    'backbones': 'StagedNet create_backbone list_backbones convnet',
    'learners': 'scratch_learner pretrained_learner hybrid_learner',
    'unfreezing': 'stage_table freeze_to audit_frozen discriminative_lrs GradualUnfreezing UnfreezeOnPlateau',
    'forward': '',
    'tables': 'cached_tables clear_cache',
    'costs': 'CostMeter',
    'caching': 'cached_prefix task_features',
    'strategies': 'Phase Strategy STRATEGIES Settings run_trial',
    'study': 'Study compare',
    'curves': 'accuracy_interval paired_difference crossover label_efficiency',
    'advice': 'summarise',
    'probes': 'probe_curve ProbeCurve',
    'plots': 'plot_learning_curves plot_cost_accuracy plot_overfitting_gap plot_lrs show_predictions',
    'widgets': 'lr_explorer',
    'report': 'StoredStudy write_report',
}
_module_of = {name: module for module, names in _names.items() for name in names.split()}

__all__ = list(_module_of)


def __getattr__(name):
    "The main names, each from its module, and the modules themselves"
    if name in _names: return _import_module(f'{__name__}.{name}')
    if name not in _module_of: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(_import_module(f'{__name__}.{_module_of[name]}'), name)
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__, *_names})
