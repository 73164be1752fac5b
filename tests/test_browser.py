"tests/browser.py finds what is wrong with a page, and nothing in one that is right"

from pathlib import Path

import browser as chromium
import pytest

pytestmark = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())

HEAD = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
RIGHT = HEAD + '<p>Hello</p><img alt="a dot" src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><div style="overflow:auto"><div style="width:900px">w</div></div>'
WRONG = HEAD + '''<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #333 } }</style>
<p>dark on dark <span style="color: #aaa">grey on white</span></p><div class="broad" style="width: 900px">w</div><img src="none.png">
<script src="http://example.invalid/x.js"></script><script>console.error('oops'); null.f()</script>'''


@pytest.fixture(scope='module')
def page():
    with chromium.Browser(width=400) as browser: yield browser


@pytest.fixture(params=['served', 'file'])
def folder(request, tmp_path):
    "Where the page lies: on a server, or as a file"
    if request.param == 'file': yield tmp_path
    else:
        with chromium.serve(tmp_path) as url: yield url


def open_page(page, folder, html, tmp_path):
    (tmp_path/'a.html').write_text(html)
    page.open(folder/'a.html' if isinstance(folder, Path) else f'{folder}/a.html')


def test_a_sound_page(page, folder, tmp_path):
    open_page(page, folder, RIGHT, tmp_path)
    assert page.problems() == page.too_wide() == page.unreadable() == page.no_alt() == []


def test_a_page_with_faults(page, folder, tmp_path):
    page.dark(False)
    open_page(page, folder, WRONG, tmp_path)
    problems = ' '.join(page.problems())
    for o in ('oops', "reading 'f'", 'foreign: http://example.invalid/x.js', 'none.png'): assert o in problems
    assert page.too_wide() == ['html scrolls 508 px', 'div.broad']
    assert len(page.no_alt()) == 1
    assert [o.split(': ')[1] for o in page.unreadable()] == ['2.32 grey on white']
    page.dark()
    assert any('dark on dark' in o for o in page.unreadable())
    page.dark(False)


def test_problems_are_those_of_one_page(page, folder, tmp_path):
    open_page(page, folder, WRONG, tmp_path)
    open_page(page, folder, RIGHT, tmp_path)
    assert page.problems() == []


def test_screenshot(page, folder, tmp_path):
    open_page(page, folder, WRONG, tmp_path)
    page.screenshot(tmp_path/'a.png')
    assert (tmp_path/'a.png').read_bytes().startswith(b'\x89PNG')


def test_a_page_that_scrolls_in_a_box_of_its_own(page, folder, tmp_path):
    html = HEAD + '<main style="overflow: auto; width: 300px"><h1>Title</h1><p style="width: 700px">text</p></main>'
    open_page(page, folder, html, tmp_path)
    assert page.too_wide() == ['main scrolls 400 px', 'p']
