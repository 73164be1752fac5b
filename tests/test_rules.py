"The rules of thumb: a prior that says so, that every fact can move, and a command that starts light"

import json
import subprocess
import sys
from itertools import product

import pytest
from commands import ENV
from hypothesis import given
from hypothesis import strategies as st
from tl_vs_scratch.answers import rules as r
from tl_vs_scratch.training.recipes import STRATEGIES

MAYBE = st.sampled_from([None, True, False])
FACTS = dict(labels=st.integers(1, 10**8), classes=st.none() | st.integers(2, 1000), near=MAYBE, compute=MAYBE,
             free_architecture=st.booleans(), plateau=st.booleans(), shifted=st.booleans())


def run(*words, code='from tl_vs_scratch.cli import main; main()'):
    return subprocess.run([sys.executable, '-c', code, *map(str, words)], capture_output=True, text=True, env=ENV)


# --- the table ---

@pytest.mark.parametrize('rule', r.RULES, ids=lambda o: o.name)
def test_every_rule_has_sources_and_what_was_found_against_it(rule):
    for text in (rule.when, rule.source, rule.against, rule.against_source): assert text.strip()
    named = [name.strip() for part in (rule.source, rule.against_source) for name in part.split(';')]
    for name in named: assert name in r.REFERENCES or name in (r.ARTICLE, r.NOTES), name


@pytest.mark.parametrize('rule', r.RULES, ids=lambda o: o.name)
def test_every_rule_can_apply_and_can_fail_to(rule):
    cases = product((5, 500, 50_000, 5_000_000), (True, False), (True, False), (True, False), (True, False), (True, False))
    said = {rule.applies(r.Facts(n, None, near, compute, free, plateau, shifted)) for n, near, compute, free, plateau, shifted in cases}
    assert said == {True, False}


@pytest.mark.parametrize('labels, name, there', [(99_999, 'limited labels', True), (100_000, 'limited labels', False),
                                                 (999_999, 'a million labels', False), (1_000_000, 'a million labels', True)])
def test_thresholds(labels, name, there):
    assert (name in set(r.rules(labels, compute=True).table.rule)) == there


# --- what they say together ---

@given(**FACTS)
def test_any_facts_give_a_prior_that_can_be_run(**facts):
    opinion = r.rules(**facts)
    assert opinion.strategy in STRATEGIES and opinion.strategy == r.prior(**facts)
    assert sum(opinion.shares.values()) == pytest.approx(1) and set(opinion.shares) <= {'pretrained', 'random'}
    start = 'random' if opinion.strategy == 'scratch' else 'pretrained'
    assert opinion.shares[start] >= .5
    if facts['free_architecture']: assert opinion.strategy == 'scratch'
    assert 'no' not in set(opinion.table.applies)
    known = all(facts[name] is not None for name in ('near', 'compute'))
    if known: assert set(opinion.table.applies) == {'yes'}


def test_what_is_not_known_may_apply_and_counts_half():
    at = {near: r.starts(r.Facts(50, near=near, compute=True)) for near in (None, False)}
    assert at[None]['random'] == at[False]['random']/2 > 0


def test_more_labels_lead_from_the_probe_to_tuning_to_scratch():
    path = [r.prior(n, compute=True) for n in (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)]
    assert path == ['linear_probe']*2 + ['fine_tune']*3 + ['scratch']*2


def test_it_is_shown_as_a_prior_and_never_as_evidence():
    opinion = r.rules(100, classes=5)
    assert opinion.kind == opinion.to_json()['kind'] == 'prior'
    for text in (str(opinion), opinion._repr_html_(), opinion.to_json()['note']): assert 'no evidence' in text
    json.dumps(opinion.to_json())
    assert '<table' in opinion._repr_html_() and list(opinion.table.columns) == list(r.ROW)


@given(**FACTS)
def test_no_sentence_has_a_name_of_code(**facts):
    opinion = r.rules(**facts)
    assert '_' not in str(opinion)


@pytest.mark.parametrize('facts, said', [(dict(labels=0), 'labels must be a whole number of at least 1, not 0'), (dict(labels=2.5), 'not 2.5'),
                                         (dict(labels=None), 'not None'), (dict(labels='9'), "not '9'"), (dict(labels=9, classes=1), 'classes must be')])
def test_numbers_that_can_not_be(facts, said):
    for ask in (r.rules, r.prior):
        with pytest.raises(ValueError, match=said): ask(**facts)


def test_an_unknown_fact():
    with pytest.raises(ValueError, match="unknown fact 'clases'.*Did you mean 'classes'?"): r.prior(9, clases=3)


# --- the command ---

def test_command_prints_what_the_library_says():
    done = run('rules', '--labels', 300, '--classes', 5, '--far')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.strip() == str(r.rules(300, 5, False))


def test_command_as_json():
    words = ['--labels', 5000, '--near', '--no-compute', '--plateau', '--shifted', '--free-architecture', '--json']
    said = json.loads(run('rules', *words).stdout)
    wanted = r.rules(5000, near=True, compute=False, free_architecture=True, plateau=True, shifted=True)
    assert said == json.loads(json.dumps(wanted.to_json()))


@pytest.mark.parametrize('words', [[], ['--labels', 0], ['--labels', 'many'], ['--labels', 9, '--classes', 1], ['--labels', 9, '--nearby']])
def test_command_used_wrongly(words):
    done = run('rules', *words)
    assert done.returncode == 2 and done.stdout == '' and done.stderr and 'Traceback' not in done.stderr


def test_command_starts_light():
    code = '''
import sys
from tl_vs_scratch.cli import main
try: main()
except SystemExit: pass
print([o for o in ('torch', 'matplotlib', 'pandas', 'numpy') if o in sys.modules])'''
    assert run('rules', '--labels', 300, code=code).stdout.splitlines()[-1] == '[]'
