"""How hard it is to break: the tests of eight points, counted, as nbs/trust.ipynb shows them

    python -m benchmarks.trust --json benchmarks/results/trust.json [--only killed,safe] [--kills 20] [--audit pip-audit]
    python -m benchmarks.trust --json benchmarks/results/trust.json --python OTHER/bin/python [--only faults,texts]

The first runs the test files of each point by pytest, one after the other and each in a process of its own, and notes how many cases ran, passed,
were skipped (and why) and failed, and how many examples Hypothesis made up. --only names points; --kills is how many studies are killed at a random
moment; --audit is the program that compares what the library requires with the list of known holes. What benchmarks.crews and benchmarks.load have
measured is taken from their files. The second adds another Python to the matrix, with the packages that it has, and runs the test files without
notebooks and pages; there --only names files. All is written to FILE after each test file, and what FILE holds of other points and Pythons stays.
Half an hour on one core.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import torch

from benchmarks.machine import finish

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT/'benchmarks/results'
POINTS = { # point -> what pytest is asked for, a process each
    'bad_input': (['bad_input'], ['faults']),
    'made_up': (['fuzz'], ['properties'], ['race']),
    'killed': (['killed'],),
    'same': (['same_results'], ['crews'], ['contracts', '-k', 'same_study or other_data']),
    'safe': (['models', '-k', 'pickle or runs_nothing or do_no_harm'], ['hubs', '-k', 'pickle'], ['report', '-k', 'not_run or runs_no_script'],
             ['contracts', '-k', 'odd_names'], ['notebooks', '--chapters', '-k', 'chapter_runs and safety']),
    'clusters': (['notebooks', '--chapters', '-k', 'chapter_runs and clusters'], ['notebooks', '-k', 'notebook_runs and 03a_crews']),
    'load': (['benchmarks', '-k', 'test_load'],),
    'types': (['types'],),
}
RANDOM_KILL = 'test_killed_at_random'
PAGES = 'notebooks', 'docs_notebooks', 'site', 'browser', 'jupyterlab', 'translate', 'benchmarks' # not for other Pythons
VERSIONS = 'torch', 'fastai', 'timm', 'nbdev', 'numpy', 'pandas'
ASK_VERSIONS = ('import json, platform; from importlib.metadata import version; '
                f'print(json.dumps(dict(python=platform.python_version(), **{{k: version(k) for k in {VERSIONS}}})))')


# ---- one run of pytest ----

def reason_of(case, kind):
    "The message in a case, if it has one of this kind; its first line"
    found = case.find(kind)
    return None if found is None else (found.get('message') or found.text or kind).splitlines()[0][:200]


def counted(report)->dict:
    "What a JUnit file says: cases, passed, skipped (reason -> how many), failed (case -> why), studies killed at random"
    cases = list(ElementTree.parse(report).iter('testcase'))
    failed, skipped, names = {}, Counter(), Counter()
    for case in cases:
        why_failed = reason_of(case, 'failure') or reason_of(case, 'error')
        why_skipped = reason_of(case, 'skipped')
        if why_failed: failed[f"{case.get('classname')}.{case.get('name')}"] = why_failed
        elif why_skipped: skipped[why_skipped] += 1
        if not why_skipped: names[case.get('name').partition('[')[0]] += 1
    return dict(cases=len(cases), passed=len(cases) - len(failed) - skipped.total(), skipped=dict(skipped), failed=failed, kills=names[RANDOM_KILL])


def examples_in(folder)->int:
    "How many examples Hypothesis tried, of those that fitted; it writes a line about each"
    lines = (line for path in Path(folder).rglob('*_testcases.jsonl') for line in path.open(encoding='utf-8'))
    return sum(json.loads(line)['status'] != 'gave_up' for line in lines)


def environment(folder, python, kills)->dict:
    "What pytest is started with"
    ours = dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', TLVS_KILLS=str(kills), HYPOTHESIS_STORAGE_DIRECTORY=str(folder))
    counts = dict(HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY_NOCOVER='1') if python == sys.executable else {} # the other one may be too new to be told so
    return os.environ | ours | counts


def run_tests(words, python=sys.executable, kills=2)->dict:
    "tests/test_WORD.py, with options; by a Python"
    name, *options = words
    with tempfile.TemporaryDirectory() as folder:
        report, began, before = Path(folder)/'junit.xml', time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [python, '-m', 'pytest', '-q', '-n', '0', '-p', 'no:cacheprovider', f'--junitxml={report}', f'tests/test_{name}.py', *options]
        done = subprocess.run(command, cwd=ROOT, env=environment(folder, python, kills), stdout=sys.stderr)
        if not report.exists(): sys.exit(f'pytest ended with {done.returncode} and wrote no report: {" ".join(command)}')
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = dict(seconds=time.perf_counter() - began, seconds_cpu=used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime)
        return dict(tests=name, options=options) | counted(report) | dict(examples=examples_in(folder)) | spent


# ---- what is put together from runs ----

def together(runs)->dict:
    "Sums over runs, and the runs"
    sums = {key: sum(run[key] for run in runs) for key in ('cases', 'passed', 'kills', 'examples', 'seconds', 'seconds_cpu')}
    skipped = sum((Counter(run['skipped']) for run in runs), Counter())
    failed = {name: why for run in runs for name, why in run['failed'].items()}
    return sums | dict(skipped=dict(skipped), failed=failed, runs=runs)


def versions_of(python)->dict:
    return json.loads(subprocess.run([python, '-c', ASK_VERSIONS], stdout=subprocess.PIPE, text=True, check=True).stdout)


def keep(args, figures):
    "Write what there is so far"
    if args.json: args.json.write_text(json.dumps(figures, indent=1, default=float) + '\n')


def points_run(args, figures):
    "The points, each with the versions that it ran with; the last run of a point takes the place of the one before when it is over"
    for point in args.only or POINTS:
        about, runs = dict(versions=versions_of(sys.executable), date=time.strftime('%Y-%m-%d')), []
        for words in POINTS[point]:
            runs.append(run_tests(words, kills=args.kills))
            figures['points'][point] = about | together(runs)
            keep(args, figures)


def matrix_run(args, figures):
    "Test files with another Python: a file that ran again takes the place of its run before, if nothing else has changed"
    versions = versions_of(args.python)
    before = figures['matrix'].get(versions['python'], {})
    runs = {run['tests']: run for run in before.get('runs', ())} if before.get('versions') == versions else {}
    for name in args.only or files_without_pages():
        runs[name] = run_tests([name], args.python)
        figures['matrix'][versions['python']] = dict(versions=versions, date=time.strftime('%Y-%m-%d')) | together(list(runs.values()))
        keep(args, figures)


def files_without_pages(): return sorted({o.stem.removeprefix('test_') for o in (ROOT/'tests').glob('test_*.py')} - {*PAGES})


def required():
    "The names of what is installed with the library"
    settings = ConfigParser()
    settings.read(ROOT/'settings.ini')
    return re.findall(r'^([\w-]+)', settings['DEFAULT']['requirements'].strip(), re.M)


def audited(program)->dict:
    "What pip-audit says of what settings.ini requires, in the versions that are here: asked, answered, holes; or how it failed"
    asked = [f'{name}=={version(name)}' for name in required()]
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder)/'requirements.txt'
        listed.write_text('\n'.join(asked))
        command = [program, '-r', listed, '--no-deps', '--disable-pip', '--format', 'json', '--progress-spinner', 'off', '--timeout', '15']
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    about = dict(asked=len(asked), date=time.strftime('%Y-%m-%d'))
    try: found = json.loads(done.stdout)['dependencies']
    except ValueError: return about | dict(answered=0, holes=[], why=(done.stderr.splitlines() or ['it said nothing'])[-1][:200])
    answers = [o for o in found if 'skip_reason' not in o]
    unanswered = [o['skip_reason'] for o in found if 'skip_reason' in o]
    holes = [f"{o['name']} {o['version']}: {hole['id']}" for o in answers for hole in o['vulns']]
    return about | dict(answered=len(answers), holes=holes, why=unanswered[0] if unanswered else '')


def names(text): return text.split(',')


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', type=names, help=f"points ({', '.join(POINTS)}); with --python, test files")
    parser.add_argument('--kills', type=int, default=20, help='studies killed at a random moment; default: %(default)s')
    parser.add_argument('--python', help='another Python, with the requirements for development')
    parser.add_argument('--audit', metavar='PROGRAM', help='where pip-audit is')
    parser.add_argument('--json', type=Path, help='write the figures here')
    args = parser.parse_args()
    if unknown := {*(args.only or ())} - {*(files_without_pages() if args.python else POINTS)}: parser.error(f"unknown: {', '.join(unknown)}")
    return args


def main():
    args = parsed()
    figures = json.loads(args.json.read_text()) if args.json and args.json.exists() else dict(benchmark='trust', points={}, matrix={})
    figures |= {name: json.loads((RESULTS/f'{name}.json').read_text()) for name in ('crews', 'load')}
    if args.audit: figures['audit'] = audited(args.audit)
    if args.python: matrix_run(args, figures)
    elif args.only or not args.audit: points_run(args, figures)
    finish(args, figures | dict(gpu=torch.cuda.is_available()))


if __name__ == '__main__': main()
