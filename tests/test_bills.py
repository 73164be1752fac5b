"Bills and fronts: what was not given is not computed, what was not measured does not say so, and no table makes them crash"

import sys
from itertools import product
from math import isnan, nan
from types import ModuleType, SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from fake_study import FakeStudy
from hypothesis import given
from hypothesis import strategies as st
from tl_vs_scratch.answers import bills as b
from tl_vs_scratch.answers import fronts as f
from tl_vs_scratch.answers.curves import score_table

TRUTH = {('scratch', 60): .6, ('linear_probe', 60): .7, ('fine_tune', 60): .9, ('scratch', 30): .4, ('linear_probe', 30): .6, ('fine_tune', 30): .7}
USE = dict(use_seconds_per_1000=11., weights_mb=13.6)


@pytest.fixture(scope='module')
def study(): return FakeStudy(TRUTH, failed=[('scratch', 60, 0)])


# --- bills ---

def test_a_bill_per_finished_trial(study):
    each = b.bills(study)
    assert list(each.columns) == b.BILL and len(each) == len(study.done()) == 17
    assert each.equals(b.bills(study.results))
    seconds = each.set_index('strategy').seconds.groupby(level=0).first()
    assert seconds.to_dict() == dict(scratch=9., linear_probe=1., fine_tune=5.)
    assert each.kwh.tolist() == pytest.approx((each.seconds*b.WATTS_PER_THREAD/3.6e6).tolist())


@pytest.mark.parametrize('given, computed', [({}, {'kwh'}), (dict(per_kwh=.3), {'kwh', 'money_kwh'}), (dict(per_hour=2.), {'kwh', 'money_hours'}),
                                             (dict(grid=400.), {'kwh', 'co2_g'}), (dict(watts_per_thread=None, per_kwh=.3, grid=400.), set()),
                                             (dict(per_kwh=0., per_hour=0., grid=0.), {'kwh', 'money_kwh', 'money_hours', 'co2_g'})])
def test_what_is_not_given_is_not_computed(study, given, computed):
    each = b.bills(study, **given)
    for name in b.AMOUNTS:
        assert each[name].notna().all() == (name in computed) and each[name].isna().all() == (name not in computed)
        marks = set(each[f'{name}_mark'])
        assert marks == ({'not computed'} if name not in computed else {'measured'} if name == 'money_hours' else {'estimated'})


def test_a_figure_is_measured_only_where_it_says_so(study):
    rows = study.results.query("status == 'done'").head(3).assign(energy_kwh=[.1, .2, nan], energy_mark=['measured', None, None])
    assert b.bills(rows).kwh_mark.tolist() == ['measured', 'estimated', 'estimated']
    assert b.bills(rows).kwh.tolist()[:2] == [.1, .2]
    with pytest.raises(ValueError, match="unknown mark of energy_kwh 'sure'"): b.bills(rows.assign(energy_mark='sure'))


@given(st.lists(st.sampled_from(b.MARKS), min_size=1, max_size=5))
def test_a_sum_is_no_better_than_its_worst_part(marks):
    assert b.MARKS.index(b.merged_mark(marks)) == max(map(b.MARKS.index, marks))


def test_means_and_sums(study):
    each = b.bills(study, grid=400.)
    table, whole = b.bill_table(each), b.add_up(each)
    assert (table.kwh*table.trials).sum() == pytest.approx(whole['kwh']) and whole['trials'] == len(each)
    assert whole['co2_g'] == pytest.approx(400*whole['kwh'])
    assert isnan(whole['money_kwh']) and whole['money_kwh_mark'] == 'not computed'
    assert 'nan' not in b.bill_words(whole) and '(estimated)' in b.bill_words(whole)


def test_a_gpu_needs_its_watts(study):
    rows = study.results.assign(device='cuda:0')
    assert b.bills(rows).kwh.isna().all() and set(b.bills(rows).how) == {'no watts of the GPU were given'}
    known = b.bills(rows, gpu_watts=300.)
    assert known.kwh.tolist() == pytest.approx((known.seconds*(300 + b.WATTS_PER_THREAD)/3.6e6).tolist())


@pytest.mark.parametrize('break_it, said', [(lambda rows: rows.drop(columns=['device', 'flops']), 'a bill needs the columns flops, device'),
                                            (lambda rows: pd.DataFrame(), 'a bill needs the columns')])
def test_rows_that_are_no_trials(study, break_it, said):
    with pytest.raises(ValueError, match=said): b.bills(break_it(study.results))


def test_no_finished_trial(study):
    each = b.bills(study.results.iloc[:0], grid=1.)
    assert each.empty and b.bill_table(each).empty and isnan(b.kwh_per_flop(each))


# --- the meter ---

def codecarbon(monkeypatch, found, counters=True, version_moved=False):
    "Modules that look like codecarbon 3"
    class OfflineEmissionsTracker:
        def __init__(self, **options): self.options = options
        def start(self): assert not self.options['save_to_file']
        def stop(self): self.final_emissions_data = found
    modules = {name: ModuleType(name) for name in ('codecarbon', 'codecarbon.core', 'codecarbon.core.cpu')}
    modules['codecarbon'].OfflineEmissionsTracker = OfflineEmissionsTracker
    if not version_moved: modules['codecarbon.core.cpu'].is_rapl_available = lambda: counters
    for name, module in modules.items(): monkeypatch.setitem(sys.modules, name, module)


FOUND = SimpleNamespace(cpu_energy=.002, gpu_energy=.003, ram_energy=9.)


@pytest.mark.parametrize('counters, moved, mark', [(True, False, 'measured'), (False, False, 'estimated'), (True, True, 'estimated')])
def test_codecarbon_is_believed_where_it_reads_counters(monkeypatch, counters, moved, mark):
    codecarbon(monkeypatch, FOUND, counters, moved)
    with b.energy_meter() as energy: assert energy.mark == 'not computed'
    assert (energy.kwh, energy.mark) == (.005, mark) and 'codecarbon' in energy.how


def test_without_codecarbon_it_is_estimated(monkeypatch):
    monkeypatch.setitem(sys.modules, 'codecarbon', None)
    with b.energy_meter() as energy: sum(range(10**5))
    assert energy.kwh > 0 and energy.mark == 'estimated' and b.WATTS_SOURCE in energy.how
    with b.energy_meter(watts_per_thread=None) as energy: pass
    assert isnan(energy.kwh) and energy.mark == 'not computed'


def test_a_meter_that_fails_in_silence(monkeypatch):
    codecarbon(monkeypatch, None)
    with b.energy_meter() as energy: pass
    assert energy.mark == 'estimated' and b.WATTS_SOURCE in energy.how


# --- pretraining ---

def test_pretraining_is_shared():
    one, many = (b.pretraining_bill('tf_efficientnet_lite0', uses, 1e-18, .3, 400.) for uses in (1, 1000))
    assert one.flops == many.flops == pytest.approx(1.095e18, rel=.001)
    for name in ('flops_per_use', 'kwh_per_use', 'money_per_use', 'co2_g_per_use'):
        assert getattr(one, name) == pytest.approx(1000*getattr(many, name))
    assert one.mark == 'estimated' and one.source and '(estimated)' in b.pretraining_words(one)


def test_pretraining_of_ones_own():
    own = b.Pretraining(body='mine', multiply_adds=1e6, examples=100, epochs=2, source='me')
    assert b.pretraining_bill(own, 1).flops == 3*2*1e6*200
    with pytest.raises(ValueError, match="unknown body with a known pretraining 'convnet'"): b.pretraining_bill('convnet', 1)


# --- fronts ---

def test_front_of_a_study(study):
    front = f.cost_front(score_table(study))
    assert front.strategy.tolist() == ['linear_probe', 'fine_tune', 'scratch'] and set(front.n) == {60}
    assert front.beaten_by.tolist() == ['', '', 'fine_tune'] and {'low', 'high'} <= {*front}
    assert f.cost_front(study.results).strategy.tolist() == front.strategy.tolist() # means of the rows, the failed one left out
    assert set(f.cost_front(score_table(study), n=30).n) == {30}


@pytest.mark.parametrize('cost', USE)
def test_a_cost_that_no_trial_has_is_said(study, cost):
    for table in (score_table(study).drop(columns=cost), study.results.drop(columns=cost)):
        for ask in (f.cost_front, f.plot_cost_front):
            with pytest.raises(ValueError, match=f'needs the columns {cost}'): ask(table, cost=cost)
    front = f.cost_front(study.results.assign(**USE), cost)
    assert front.query('on_front').strategy.tolist() == ['fine_tune'] # all cost the same


def test_a_loss_is_turned_round():
    study = FakeStudy(TRUTH, score='log_loss')
    ax = f.plot_cost_front(score_table(study), study=study)
    front = f.cost_front(score_table(study), higher_is_better=False)
    assert ax.lines[0].get_xdata().tolist() == front[front.on_front].seconds.tolist()
    assert front.set_index('strategy').beaten_by['scratch'] and 'loss' in ax.get_ylabel()
    plt.close('all')


def test_colours_come_from_the_arms(study):
    ax = f.plot_cost_front(score_table(study), study=study)
    drawn = {line.get_label(): line.get_color() for line in ax.lines}
    assert {name: drawn[name] for name in study.strategies} == {name: arm.color for name, arm in study.strategies.items()}
    plt.close('all')


NUMBERS = st.one_of(st.just(nan), st.integers(0, 3)) # few, so that many are equal
ROWS = st.lists(st.tuples(st.sampled_from('abcd'), st.just(10), NUMBERS, NUMBERS), max_size=6)


@given(ROWS)
def test_any_table_gives_a_front_or_one_sentence(rows):
    table = pd.DataFrame(rows, columns=['strategy', 'n', 'score', 'seconds'])
    try: front = f.cost_front(table)
    except ValueError as e: assert 'no strategy has a value' in str(e); return
    assert front.on_front.any() or front.empty
    assert (front.beaten_by != '').tolist() == (~front.on_front.astype(bool)).tolist()
    for a, c in product(front.itertuples(), repeat=2):
        if a.on_front: assert not (c.score >= a.score and c.seconds <= a.seconds and (c.score > a.score or c.seconds < a.seconds))
        if a.beaten_by == c.strategy: assert c.score >= a.score and c.seconds <= a.seconds


@pytest.mark.parametrize('seconds', [[1., 1., 1.], [0., 1., 2.], [1e-3, 1., 1e5], [nan, 1., 2.]])
def test_any_costs_can_be_drawn(seconds):
    table = pd.DataFrame(dict(strategy=['scratch', 'mine', 'fine_tune:own'], n=9, score=[.5, .6, .7], seconds=seconds))
    ax = f.plot_cost_front(table)
    ax.figure.canvas.draw()
    assert len(ax.lines) == 1 + table.seconds.notna().sum()
    plt.close('all')
