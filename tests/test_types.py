"What type checkers and editors are told: the stub is what the package is, and mypy finds mistakes with it and no others"

import subprocess
import sys
from pathlib import Path

import pytest
import stubs
import tl_vs_scratch as tlvs

ROOT = Path(__file__).resolve().parent.parent
RIGHT = '''
import tl_vs_scratch as tlvs
study = tlvs.compare('emoji', sizes=3, seeds=3, budget='1m', size=32)
study.plot()
print(study.results, study.sizes, study.summary(), study.place(), study.report())
model = study.train()
print(model.predict('folder').columns, model.classes)
task: tlvs.Task = tlvs.emoji()
learn = tlvs.pretrained_learner(task.dls(n=100))
tlvs.freeze_to(learn, -2)
with tlvs.audit_frozen(learn), tlvs.CostMeter() as meter: learn.fit_one_cycle(1, tlvs.discriminative_lrs(1e-3, learn))
mine = tlvs.Strategy('mine', 'random', (tlvs.Phase(train='all', steps=3),))
curve = tlvs.probe_curve(task, seeds=5)
print(curve.table, curve.worth(study)['worth'], mine.name.upper(), meter.seconds + 1)
fitted: tlvs.Results = tlvs.Results('runs/emoji', score=None)
'''
WRONG = {"tlvs.Phase(trainn='all')": 'Unexpected keyword argument "trainn"', 'tlvs.emoji().shown': '"Task" has no attribute "shown"',
         'tlvs.comparee': 'Module has no attribute "comparee"', 'tlvs.probe_curve(seeds="ten")': 'expected "int"'}


def checked(tmp_path, code):
    "What mypy says of some code"
    file = tmp_path/'use.py'
    file.write_text(code, encoding='utf-8')
    command = [sys.executable, '-m', 'mypy', '--ignore-missing-imports', '--follow-imports=skip', f'--cache-dir={tmp_path}', file, stubs.STUB]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout


def test_the_stub_is_up_to_date():
    text = stubs.Stub({name: getattr(tlvs, name) for name in tlvs.__all__}).text()
    if stubs.STUB.read_text(encoding='utf-8') != text: pytest.fail('__init__.pyi is not up to date: run python docs/stubs.py', pytrace=False)


def test_it_is_shipped():
    assert stubs.STUB.with_name('py.typed').is_file()
    assert "'py.typed', '*.pyi'" in (ROOT/'setup.py').read_text(encoding='utf-8')


def test_what_is_right_passes(tmp_path): assert 'Success' in (said := checked(tmp_path, RIGHT)), said


def test_mistakes_are_found(tmp_path):
    said = checked(tmp_path, '\n'.join(['import tl_vs_scratch as tlvs', *WRONG]))
    assert [o for o in WRONG.values() if o not in said] == [], said
    assert f'Found {len(WRONG)} errors' in said


def test_a_method_of_another_room_is_there(): # that study.summary() is patched on from there no type checker sees
    text = stubs.STUB.read_text(encoding='utf-8')
    assert 'def summary(self: Results' in text and 'def place(self: Results' in text and 'def dls(' in text
