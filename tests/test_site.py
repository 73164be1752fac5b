"The docs site: built as a reader gets it, every page opened in a browser"

import os
import re
from pathlib import Path

import browser as chromium
import build
import pytest
import translate
from nbformat.v4 import new_markdown_cell
from notebooks import ROOT, find_notebooks
from test_docs_notebooks import save

PAGES = [translate.page_name(o.relative_to(ROOT/'nbs')).with_suffix('.html').as_posix() for o in find_notebooks()]
PAGES += ['credits.html', 'contributing.html', 'search.html', 'genindex.html', '_modules/index.html', '_modules/tl_vs_scratch/tasks/task.html']
pytestmark = pytest.mark.filterwarnings('ignore:.*is deprecated. Check CHANGES for Sphinx') # MyST's, not ours
needs_browser = pytest.mark.skipif(bool(chromium.why_not()), reason=chromium.why_not())


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    "The folder of the built site; `.ci/run` names the one that it has just built"
    if 'TLVS_SITE' in os.environ: return Path(os.environ['TLVS_SITE'])
    out = tmp_path_factory.mktemp('site')
    assert build.build(out) == 0, 'the site was not built: see what Sphinx says above'
    return out


@pytest.fixture(scope='module')
def url(site):
    with chromium.serve(site) as address: yield address


@pytest.fixture(scope='module')
def window():
    with chromium.Browser() as browser: yield browser


@pytest.fixture
def page(window):
    window.size(1280)
    window.dark(False)
    return window


def test_pages_are_those_of_the_notebooks(site):
    found = {o.relative_to(site).as_posix() for o in site.rglob('*.html')}
    assert {o for o in found if not o.startswith('_modules/')} == {o for o in PAGES if not o.startswith('_modules/')}


def mini(root, text):
    "A project whose front page says `text`"
    for name in ('index', 'atlas', 'findings', 'measured', 'speed', 'clusters', 'safety', 'trust', 'glossary'):
        save(root/f'nbs/{name}.ipynb', new_markdown_cell(f'# {name}'), new_markdown_cell(text if name == 'index' else 'Nothing'))
    for name in ('CREDITS.md', 'CONTRIBUTING.md'): (root/name).write_text(f'# {name}\n')
    return root


def test_side_bar():
    "The front page leads to chapters and rooms, a room's first page to its notebooks"
    names = 'index tutorials/start tasks/index tasks/scores tasks/task training/trial fast/index fast/adam measured'.split()
    pages = {build.Path(f'{o}.ipynb'): None for o in names}
    front, room = (build.contents(build.Path(o), pages) for o in ('index.ipynb', 'tasks/index.ipynb'))
    def entries(title): return front.split(f':caption: {title}\n\n')[1].split('```')[0].split()
    assert entries('Chapters') == ['tutorials/start'] and entries('About') == build.ABOUT
    assert entries('Reference') == ['tasks/index', 'training/trial'], 'a room without a first page shows its notebooks'
    assert entries('Internals') == ['fast/index']
    assert room.split()[1:-1] == [':hidden:', 'scores', 'task']


def test_side_bar_of_the_site(site):
    "Every notebook of a room is reached from everywhere, below its room"
    bar = (site/'index.html').read_text(encoding='utf-8').split('<div class="sidebar-tree">')[1].split('</aside>')[0]
    links = re.findall('href="([^"]+)"', bar)
    assert set(PAGES[:len(find_notebooks())]) - {'index.html'} <= set(links)


@pytest.mark.parametrize('text, said', [('[here](measured.ipynb)', ''), ('[there](nowhere.ipynb)', "nowhere.ipynb"),
                                        ('[there](measured.ipynb#no-part)', 'no-part')])
def test_a_link_that_leads_nowhere_stops_it(text, said, tmp_path, capfd):
    status = build.build(tmp_path/'out', mini(tmp_path/'root', text))
    assert bool(status) == bool(said) and said in capfd.readouterr().err


def test_other_peoples_folders_are_left_alone(tmp_path):
    (tmp_path/'thesis.txt').write_text('years of work')
    with pytest.raises(SystemExit, match='no site of ours'): build.build(tmp_path)
    assert (tmp_path/'thesis.txt').exists()


@needs_browser
@pytest.mark.parametrize('name', PAGES)
def test_page(name, page, url):
    "No error, no request that fails or goes elsewhere, under 3 MB, readable in light and dark, nothing sticks out of a phone"
    page.open(f'{url}/{name}')
    page.js("document.querySelectorAll('details').forEach(o => o.open = true)")
    assert page.problems() == []
    assert page.no_alt() == []
    assert page.js(WEIGHT) < 3e6
    assert page.unreadable() == [] and page.js(PALE_PICTURES) == []
    page.dark()
    assert page.unreadable() == [] and page.js(PALE_PICTURES) == []
    page.size(400)
    assert page.too_wide() == []


WEIGHT = "performance.getEntries().reduce((sum, o) => sum + (o.decodedBodySize || 0), 0)"

# Pictures with a transparent ground whose lines and letters (what is grey or black) have too little contrast to the page
PALE_PICTURES = '''(() => {
  const light = (r, g, b) => [r, g, b].reduce((sum, c, i) => sum + [.2126, .7152, .0722][i]*((c/255 + .055)/1.055)**2.4, 0)
  const page = light(...getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number))
  return [...document.querySelectorAll('article img')].filter(img => {
    const canvas = Object.assign(document.createElement('canvas'), {width: img.naturalWidth, height: img.naturalHeight})
    const context = canvas.getContext('2d')
    context.drawImage(img, 0, 0)
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height)
    if (data[3] > 128) return false // a ground of its own
    let ink = 0, clear = 0
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b, a] = data.slice(i, i + 4), most = Math.max(r, g, b), l = light(r, g, b)
      if (a <= 200 || most - Math.min(r, g, b) > 12 || most > 240) continue
      if (data[i - 13] > 200 || data[i + 19] > 200) continue // of a picture: four pixels to a side the ground is not the page
      ink++
      clear += (Math.max(l, page) + .05)/(Math.min(l, page) + .05) > 2
    }
    return clear < .3*ink
  }).map(img => img.alt)
})()'''


@needs_browser
def test_pale_pictures_are_found(page, url):
    page.open(f'{url}/answers/plots.html')
    assert page.js(PALE_PICTURES) == []
    page.js("document.body.style.background = '#7a7a7a'") # the ink of the plots
    assert page.js(PALE_PICTURES) != []


@needs_browser
def test_front_page_fits_on_one_screen(page, url):
    page.open(f'{url}/index.html')
    for part in ('h1', '.lead', '.cell_input', 'figure', '.highlight-sh'):
        box = page.js(f"document.querySelector('article {part}').getBoundingClientRect().toJSON()")
        assert 0 < box['height'] and 0 < box['top'] and box['bottom'] < 800, part
    assert page.js("document.querySelector('article .cell_input').innerText").strip().count('\n') == 2


@needs_browser
def test_front_page_from_a_folder(page, site):
    page.open(site/'index.html')
    assert page.problems() == []


@needs_browser
def test_search(page, url):
    page.open(f'{url}/search.html?q=discriminative_lrs')
    found = page.wait("((o) => o.length && o)([...document.querySelectorAll('#search-results li a')].map(o => o.href))")
    assert f'{url}/training/unfreezing.html#tl_vs_scratch.training.unfreezing.discriminative_lrs' in found
    assert page.problems() == []


@needs_browser
def test_source_link(page, url):
    page.open(f'{url}/training/unfreezing.html')
    link = page.js("[...document.querySelectorAll('dt')].find(o => o.id.endsWith('discriminative_lrs')).querySelector('.viewcode-link').parentElement.href")
    page.open(link)
    assert 'def discriminative_lrs(' in page.js("document.getElementById('discriminative_lrs').innerText") and page.problems() == []


SHOWN = "[...document.querySelectorAll('.jupyter-widgets .lrs')].filter(o => o.checkVisibility()).map(o => o.parentElement.innerText)"


@needs_browser
def test_linked_widget_moves_without_a_kernel(page, url):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    page.open(f'{url}/answers/explorers.html')
    decay, frozen = page.wait("((o) => o.length === 2 && o)([...document.querySelectorAll('.noUi-handle')])")
    def press(handle, key): ActionChains(page.driver).click(handle).send_keys(key).perform()
    first, = page.wait(f'((o) => o.length && o)({SHOWN})')
    assert '3,377,413 of 3,377,413' in first and 'frozen' not in first
    press(frozen, Keys.ARROW_RIGHT)
    second, = page.js(SHOWN)
    assert '3,376,485 of 3,377,413' in second and second.count('frozen') == 1
    press(decay, Keys.ARROW_RIGHT)
    third, = page.js(SHOWN)
    assert third != second and third.count('frozen') == 1 and '3,376,485 of' in third
    assert page.problems() == []


@needs_browser
@pytest.mark.parametrize('width', [390, 1280])
def test_pictures_of_the_front_page_do_not_lie_on_each_other(width, page, url):
    page.size(width)
    page.open(f'{url}/index.html')
    page.wait('[...document.images].every(o => o.complete)')
    boxes = page.js("[...document.querySelectorAll('figure')].map(o => o.getBoundingClientRect()).map(o => [o.left, o.top, o.right, o.bottom])")
    assert len(boxes) > 1
    meet = [(a, b) for k, a in enumerate(boxes) for b in boxes[:k] if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
    assert meet == []


TOLD = "[...document.querySelectorAll('.jupyter-widgets p[aria-live]')].filter(o => o.checkVisibility()).map(o => o.innerText)"


@needs_browser
@pytest.mark.parametrize('name', ['growing', 'dice', 'freezing', 'maps', 'explore'])
def test_explorers_move_without_a_kernel(name, page, url):
    "Each slider, by the keyboard, changes what is said; and all of it fits a phone"
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    page.open(f'{url}/answers/{name}.html')
    page.wait("document.querySelectorAll('.jupyter-widgets .noUi-handle').length > 0")
    page.wait(f'{TOLD}.length > 0')
    for handle in page.js("[...document.querySelectorAll('.noUi-handle')].filter(o => o.checkVisibility())"):
        before, now = page.js(TOLD), int(float(handle.get_attribute('aria-valuenow')))
        ActionChains(page.driver).click(handle).send_keys(Keys.ARROW_LEFT if now else Keys.ARROW_RIGHT).perform()
        assert page.js(TOLD) != before, handle.get_attribute('aria-valuenow')
    assert page.problems() == []
    page.size(400)
    assert page.too_wide() == []
