"""A headless Chromium for tests: opens a page and tells what went wrong, how wide it is and whether it can be read

    with serve(folder) as url, Browser() as browser:
        browser.open(f'{url}/index.html')
        assert browser.problems() == []
"""

import base64
import functools
import json
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars']


def _program(*names): return next((o for o in map(shutil.which, names) if o), None)


def why_not():
    "Why no page can be opened here; an empty string if one can"
    try: import selenium # noqa: F401
    except ImportError: return 'selenium is not installed: pip install -e ".[dev]"'
    if not _program('chromium', 'chromium-browser', 'google-chrome'): return 'no Chromium: apt-get install chromium'
    return '' if _program('chromedriver') else 'no chromedriver: apt-get install chromium-driver'


@contextmanager
def serve(folder):
    "The files of `folder` on a free port of this machine; gives the address"
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    server = ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try: yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


class Browser:
    "One Chromium window with a profile of its own; to be used in a `with` statement"
    def __init__(self, width=1280, height=800):
        from selenium import webdriver
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = _program('chromium', 'chromium-browser', 'google-chrome')
        for flag in [*FLAGS, f'--user-data-dir={self._profile.name}']: options.add_argument(flag)
        options.set_capability('goog:loggingPrefs', {'performance': 'ALL', 'browser': 'ALL'})
        # With a path, selenium asks no one for a driver
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(_program('chromedriver')))
        self.driver.execute_cdp_cmd('Network.setCacheDisabled', dict(cacheDisabled=True)) # a page asks anew for all it needs
        self.size(width, height)

    def __enter__(self): return self
    def __exit__(self, *error):
        self.driver.quit()
        self._profile.cleanup()

    def open(self, url):
        "Load `url` (or the file at a Path); forget the problems of the page before"
        self.url = url.resolve().as_uri() if isinstance(url, Path) else url
        self.driver.get('about:blank') # ends what the page before still asks for
        for kind in 'performance', 'browser': self.driver.get_log(kind)
        self.driver.get(self.url)

    def js(self, code, *args):
        "What `return CODE` gives in the page"
        return self.driver.execute_script(f'return {code}', *args)

    def wait(self, code, seconds=10):
        "Wait until CODE is true in the page and give its value"
        end = time.time() + seconds
        while not (value := self.js(code)):
            if time.time() > end: raise TimeoutError(f'{self.url}: not true after {seconds} s: {code}')
            time.sleep(.05)
        return value

    def size(self, width, height=800):
        "Set the page's size in CSS pixels (a window can't be narrower than 500)"
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride',
                                    dict(width=width, height=height, deviceScaleFactor=1, mobile=False))

    def dark(self, on=True):
        "Say to pages that the reader prefers dark (or light) ones"
        feature = dict(name='prefers-color-scheme', value='dark' if on else 'light')
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(features=[feature]))

    def problems(self):
        "Errors in the console, failed requests and requests to another host, since the page was opened"
        found = [f"console: {o['message']}" for o in self.driver.get_log('browser') if o['level'] == 'SEVERE']
        asked = {}
        for row in self.driver.get_log('performance'):
            event = json.loads(row['message'])['message']
            kind, p = event['method'], event['params']
            if kind == 'Network.requestWillBeSent':
                asked[p['requestId']] = p['request']['url']
                if self._foreign(p['request']['url']): found.append(f"foreign: {p['request']['url']}")
            elif kind == 'Network.responseReceived' and p['response']['status'] >= 400:
                found.append(f"{p['response']['status']}: {p['response']['url']}")
            elif kind == 'Network.loadingFailed' and not p.get('canceled'):
                found.append(f"failed: {asked.get(p['requestId'], '?')} {p['errorText']}")
        return found

    def _foreign(self, url):
        "Whether `url` is neither inside the page nor where the page came from"
        here, there = urlsplit(self.url), urlsplit(url)
        return there.scheme not in ('data', 'blob', 'about', 'chrome-error') and (there.scheme, there.netloc) != (here.scheme, here.netloc)

    def too_wide(self):
        "What makes the page scroll sideways: a list of elements, empty if it doesn't"
        return self.js(TOO_WIDE)

    def unreadable(self, ratio=4.5):
        "Visible texts whose contrast to their ground is under `ratio` (WCAG 2.1; 3 is enough for large ones)"
        self.js(FINISH) # or a colour is measured on its way to another
        return self.js(UNREADABLE, ratio)

    def no_alt(self):
        "Addresses of pictures without a text for those who can't see them"
        return self.js("[...document.images].filter(o => !o.alt.trim()).map(o => o.src.slice(0, 80))")

    def screenshot(self, path, whole=False):
        "Save what is seen, or with `whole` the page down to its end, as a PNG"
        shot = self.driver.execute_cdp_cmd('Page.captureScreenshot', dict(format='png', captureBeyondViewport=whole,
            **(dict(clip=dict(x=0, y=0, scale=1, **self.js(PAGE_SIZE))) if whole else {})))
        Path(path).write_bytes(base64.b64decode(shot['data']))


FINISH = 'document.getAnimations().forEach(o => o.effect.getTiming().iterations !== Infinity && o.finish())'

PAGE_SIZE = '({width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight})'

TOO_WIDE = '''(() => {
  const root = document.documentElement, around = new Set([root]) // what holds the headings scrolls the page, whatever it is
  for (let o of document.querySelectorAll('h1, h2')) while (o = o.parentElement) if (getComputedStyle(o).overflowX !== 'visible') around.add(o)
  const name = o => o.tagName.toLowerCase() + [...o.classList].map(c => '.' + c).join('')
  const boxed = (o, outer) => { // inside something that scrolls or cuts by itself
    while ((o = o.parentElement) && o !== outer && o !== document.body) if (getComputedStyle(o).overflowX !== 'visible') return true
  }
  return [...around].filter(o => o.scrollWidth > o.clientWidth + 1).flatMap(outer => {
    const end = outer === root ? root.clientWidth : outer.getBoundingClientRect().right
    const out = [...outer.querySelectorAll('body *')].filter(o => o.getBoundingClientRect().right > end + 1 && !boxed(o, outer))
    return [name(outer) + ' scrolls ' + (outer.scrollWidth - outer.clientWidth) + ' px', ...out.slice(0, 8).map(name)]
  })
})()'''

UNREADABLE = '''((least) => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
  const rgba = colour => { // any CSS colour, as the browser paints it
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return [r, g, b, a/255]
  }
  const over = (top, under) => [0, 1, 2].map(i => top[i]*top[3] + under[i]*(1 - top[3])).concat(1)
  const ground = o => {
    if (!o) return [255, 255, 255, 1]
    const colour = rgba(getComputedStyle(o).backgroundColor)
    return colour[3] === 1 ? colour : over(colour, ground(o.parentElement))
  }
  const light = c => [.2126, .7152, .0722].reduce((sum, w, i) => {
    const v = c[i]/255
    return sum + w*(v <= .04045 ? v/12.92 : ((v + .055)/1.055)**2.4)
  }, 0)
  const found = new Map(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const o = walk.currentNode.parentElement, text = walk.currentNode.data.trim(), style = getComputedStyle(o)
    if (!text || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(o.tagName) || !o.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue
    const under = ground(o), a = light(over(rgba(style.color), under)), b = light(under)
    const ratio = (Math.max(a, b) + .05)/(Math.min(a, b) + .05)
    const px = parseFloat(style.fontSize), large = px >= 24 || (px >= 18.66 && style.fontWeight >= 700)
    if (ratio < (large ? Math.min(3, least) : least))
      found.set(o.tagName.toLowerCase() + '.' + [...o.classList].join('.') + ' ' + style.color, ratio.toFixed(2) + ' ' + text.slice(0, 40))
  }
  return [...found].map(o => o.join(': '))
})(arguments[0])'''
