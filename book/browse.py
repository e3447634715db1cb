"""Open every page of the built site as its readers do, in Chromium.

    python book/browse.py [--only ch03 appendix/api] [--shots]

Each page, at phone and at desktop width, in light and in dark mode, must be
without console errors, outside requests, a horizontal scroll bar, images
without words, heading jumps, motion where none is wanted, dead or slow links,
axe-core violations of impact serious or critical, and within the budgets of
weight and speed. Pictures go to _build/screens, with --shots of whole pages.
"""

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from links import broken_links

ROOT = Path(__file__).resolve().parents[1]
SITE, SCREENS = ROOT / "_build" / "html", ROOT / "_build" / "screens"
SCRIPT = ROOT / "book" / "browse.js"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
MODES = {"light": [], "dark": ["color-contrast"]}  # axe's rules; []: all
OFFLINE = ("index", "ch00", "ch03", "search")  # from disk as well
# Pages of code alone are all made alike: axe looks at them in these two.
CODE = {("desktop", "light"), ("phone", "dark")}
MB = 2**20
HEAVY = {"index": 1 * MB}  # bytes of a page and of all that it loads
HEAVIEST, SITE_HEAVIEST = 2.5 * MB, 60 * MB
SLOWDOWN, PAINT, BLOCKED = 4, 2500, 300  # of the CPU; milliseconds
SETTLE = 300  # ms after a page is loaded
TRIES = 8  # at most: other processes make the same page slow

# Kept from the start of a page: its largest paint, and by how much each
# task went over the 50 ms that a reader does not notice.
WATCH = """
window.seen = {paint: Infinity, blocked: 0};
const watch = (type, take) => new PerformanceObserver(
    list => list.getEntries().forEach(take)).observe({type, buffered: true});
watch('largest-contentful-paint', e => { seen.paint = e.startTime; });
watch('longtask', e => { seen.blocked += e.duration - 50; });
"""


class Quiet(SimpleHTTPRequestHandler):
    """The site's files, without a line for each."""

    def log_message(self, *args):
        pass


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def launched() -> Iterator[Browser]:
    """Debian's own Chromium, without a window."""
    with sync_playwright() as p:
        yield p.chromium.launch(executable_path=chromium(),
                                args=["--no-sandbox"])


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The site's address on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(
        Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


def opened(context: BrowserContext, base: str, wrong: list[str]):
    """A page that notes what goes wrong in it, and the bytes of its files."""
    page, weight = context.new_page(), {}
    page.set_default_timeout(120000)
    page.on("request", lambda r: r.url.startswith((base, "data:", "blob:"))
            or wrong.append(f"leaves the site: {r.url}"))
    page.on("response", lambda r: weight.update(
        {r.url: int(r.headers.get("content-length", 0))}))
    page.on("pageerror", lambda e: wrong.append(f"error: {e}"))
    page.on("console", lambda m: m.type == "error" and wrong.append(
        f"console: {m.text} {m.location.get('url', '')}"))
    return page, weight


def timed(browser: Browser, url: str) -> dict[str, float]:
    """Milliseconds of a fresh reader's first look on a slow processor."""
    with browser.new_page() as page:  # of 1280 x 720
        page.context.new_cdp_session(page).send(
            "Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        page.add_init_script(WATCH)
        page.goto(url, wait_until="load")
        page.wait_for_timeout(SETTLE)
        return page.evaluate("seen")


def speed(browser: Browser, url: str) -> tuple[float, float, list[str]]:
    """Largest paint, blocking time, and what is wrong with them."""
    best = {"paint": float("inf"), "blocked": float("inf")}
    for _ in range(TRIES):
        seen = timed(browser, url)
        best = {key: min(best[key], seen[key]) for key in best}
        if best["paint"] <= PAINT and best["blocked"] <= BLOCKED:
            return *best.values(), []
    return *best.values(), [
        f"slow: largest paint {best['paint']:.0f} ms (at most {PAINT}), "
        f"blocked {best['blocked']:.0f} ms (at most {BLOCKED})"]


def look(browser: Browser, base: str, name: str, screens: Path,
         whole: bool) -> tuple[float, list[str]]:
    """Bytes of one page, and what is wrong at each width, in each mode."""
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    wrong = []
    with browser.new_context(reduced_motion="reduce") as context:
        page, weight = opened(context, base, wrong)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{base}{name}.html", wait_until="load")
            page.evaluate(SCRIPT.read_text())
            found = {}
            for mode in MODES:
                page.emulate_media(color_scheme=mode)
                found[mode] = page.evaluate("m => browse.look(m)", mode)
                page.screenshot(full_page=whole, path=screens / (
                    f"{name.replace('/', '-')}-{size}-{mode}.png"))
            page.evaluate(axe)
            wrong += [f"{size} {x}" for x in page.evaluate("browse.thin()")]
            for mode, rules in reversed(MODES.items()):
                if name.startswith("_modules") and (size, mode) not in CODE:
                    rules = ["document-title"]  # of axe's, next to nothing
                page.emulate_media(color_scheme=mode)
                found[mode] += page.evaluate(
                    "which => browse.axe(which)", [mode, rules])
                wrong += [f"{size} {mode}: {line}" for line in found[mode]]
    total, most = sum(weight.values()), HEAVY.get(name, HEAVIEST)
    if total > most:
        wrong.append(f"{total / MB:.2f} MB, at most {most / MB:g}")
    return total, wrong


def lands(browser: Browser, base: str, name: str) -> list[str]:
    """Whether a link to a page's last section leads there, and at once."""
    with browser.new_page() as page:
        page.goto(f"{base}{name}.html", wait_until="load")
        page.evaluate("location.hash = [...document.querySelectorAll("
                      "'section[id]')].pop()?.id ?? ''")
        page.wait_for_timeout(SETTLE)
        away = page.evaluate("document.querySelector(':target')?."
                             "getBoundingClientRect().top ?? 0")
    return [] if -1 < away < 700 else [
        f"a link to the page's last section ends {away:.0f} px away"]


def offline(browser: Browser, site: Path, name: str) -> list[str]:
    """What is wrong with a page that is opened from disk."""
    wrong = []
    with browser.new_context(offline=True) as context:
        page, _ = opened(context, site.as_uri(), wrong)
        page.goto((site / f"{name}.html").as_uri(), wait_until="load")
        page.wait_for_timeout(300)
    return [f"from disk: {line}" for line in wrong]


def browse(site: Path, screens: Path, only: list[str] = (),
           whole: bool = False) -> list[str]:
    """Check the site in `site`, or only some pages; lines of what is wrong."""
    links, problems = broken_links(site), []
    names = sorted(set(only) or links, key=lambda n: ("_modules" in n, n))
    if absent := sorted(set(names) - set(links)):
        return [f"no such page: {' '.join(absent)}; there are "
                f"{' '.join(sorted(links))}"]
    weight = sum(p.stat().st_size for p in site.rglob("*") if p.is_file())
    if weight > SITE_HEAVIEST:
        problems.append(f"the site: {weight / MB:.0f} MB, at most "
                        f"{SITE_HEAVIEST / MB:g}")
    shutil.rmtree(screens, ignore_errors=True)
    screens.mkdir(parents=True)
    worst, done = [0.0, 0.0, 0.0], []
    with served(site) as base:
        def looks(part: list[str]) -> dict[str, tuple[float, list[str]]]:
            """What is wrong with some pages, in a browser of their own."""
            found = {}
            with launched() as browser:
                for name in part:
                    begun = time.monotonic()
                    found[name] = look(browser, base, name, screens, whole)
                    if not name.startswith("_modules"):
                        found[name][1].extend(lands(browser, base, name))
                    if name in OFFLINE:
                        found[name][1].extend(offline(browser, site, name))
                    done.append(name)
                    print(f"{name:36} {'FAIL' if found[name][1] else 'ok':4} "
                          f"{time.monotonic() - begun:6.1f} s  "
                          f"{found[name][0] / MB:5.2f} MB  "
                          f"[{len(done)}/{len(names)}]", *dict.fromkeys(
                              found[name][1]), sep="\n    ")
            return found

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(looks, (names[::2], names[1::2]))
        looked = first | second
        # Times are measured alone, when nothing else runs.
        with launched() as browser:
            for name in names:
                size, wrong = looked[name]
                paint, blocked, slow = speed(browser, f"{base}{name}.html")
                worst = [max(x) for x in zip(worst, (size, paint, blocked))]
                print(f"{name:36} paint {paint:4.0f} ms  "
                      f"blocked {blocked:4.0f} ms", *slow, *links[name],
                      sep="\n    ")
                problems += [f"{name}: {line}" for line in dict.fromkeys(
                    wrong + slow + links[name])]
    print(f"worst: {worst[0] / MB:.2f} MB, paint {worst[1]:.0f} ms, blocked "
          f"{worst[2]:.0f} ms; the site {weight / MB:.1f} MB")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--only", nargs="+", default=[], metavar="ch03")
    parser.add_argument("--shots", action="store_true", help="whole pages")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if not (args.site / "index.html").exists():
        print(f"no site in {args.site}: first python book/build.py site")
        return 1
    if not chromium():
        print("chromium is not installed: apt-get install chromium")
        return 1
    problems = browse(args.site.resolve(), SCREENS, args.only, args.shots)
    print(f"{len(problems)} problems" if problems else "all ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
