"Settings of Sphinx for docs/build.py"

from configparser import ConfigParser
from pathlib import Path

config = ConfigParser(delimiters=['='], interpolation=None)
config.read(Path(__file__).resolve().parent.parent/'settings.ini', encoding='utf-8')
meta = config['DEFAULT']

project = meta['lib_name']
author = meta['author']
project_copyright = author
version = release = meta['version']
html_title = project

extensions = ['myst_nb', 'sphinx.ext.viewcode', 'sphinx_copybutton']
myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 3
nb_render_markdown_format = 'myst' # so that a table in an output is one
nb_execution_mode = 'off'
nb_output_stderr = 'remove'
nb_ipywidgets_js = {'embed.js': {}} # html-manager's, kept in _static: no request leaves the site

# A name that is linked but has no entry is an error; types in signatures need no link
nitpicky = True
nitpick_ignore_regex = [('py:class', '.*')]
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = 'hide'
viewcode_line_numbers = True

html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['site.css']
html_favicon = '_static/logo.svg'
html_logo = '_static/logo.svg'
html_copy_source = html_show_sourcelink = False
pygments_style, pygments_dark_style = 'a11y-light', 'a11y-dark'
copybutton_exclude = '.linenos, .gp, .go'
html_theme_options = dict(
    light_css_variables={'color-brand-primary': '#00558c', 'color-brand-content': '#00619f'},
    dark_css_variables={'color-brand-primary': '#7cc4f2', 'color-brand-content': '#7cc4f2', 'color-brand-visited': '#c9a7ff'},
)
