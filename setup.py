"Reads the metadata from settings.ini, so that it is written down once"
from configparser import ConfigParser

from setuptools import find_packages, setup

config = ConfigParser(delimiters=['='], interpolation=None)
if not config.read('settings.ini', encoding='utf-8'): raise SystemExit('setup.py: no settings.ini beside it')
meta = config['DEFAULT']
lib = meta['lib_name']

setup(
    version=meta['version'],
    author=meta['author'],
    license_expression=meta['license'],
    keywords=[word.strip() for word in meta['keywords'].split(',')],
    python_requires=f">={meta['min_python']}",
    packages=find_packages(include=[lib, f'{lib}.*']),
    package_data={lib: ['templates/*', 'stored/*', 'py.typed', '*.pyi']},
    install_requires=meta['requirements'].split(),
    extras_require={extra: meta[f'{extra}_requirements'].split() for extra in ('dev', 'energy', 'text', 'onnx', 'dask', 'ray', 'bench')},
    # The second one lets nbdev link our names from other projects' notebooks
    entry_points={'console_scripts': meta['console_scripts'].split(), 'nbdev': [f'{lib}={lib}._modidx:d']},
)
