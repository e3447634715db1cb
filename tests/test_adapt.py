"""The front page's experiment against the package: the same rollouts must
give the same advantages, gradients and adapted parameters in the browser.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gmps_lite.advantages import advantages
from gmps_lite.book import pretrained
from gmps_lite.inner import act, adapt, start
from gmps_lite.rollout import rollout
from gmps_lite.types import Tasks

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))
import explore  # noqa: E402

FRONT = ROOT / "book" / "front"


@pytest.fixture(scope="module")
def page():
    """The front page's own parts, without the book around them."""
    sync = pytest.importorskip("playwright.sync_api")
    style, scene, compute, draw = (FRONT.joinpath(name).read_text() for name
                                   in ("adapt.css", "scene.html", "adapt.js",
                                       "scene.js"))
    html = (f"<!doctype html><style>{style}</style><script id='adapt-model' "
            f"type='application/json'>{explore.PAGE.read_text()}</script>"
            f"{scene}<script>{compute}</script><script>{draw}</script>")
    with sync.sync_playwright() as p:
        browser = p.chromium.launch(executable_path="/usr/bin/chromium",
                                    args=["--no-sandbox"])
        page = browser.new_page(reduced_motion="reduce")
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.set_content(html)
        page.evaluate("model = JSON.parse(document.getElementById("
                      "'adapt-model').textContent)")
        yield page
        browser.close()


@pytest.fixture(scope="module")
def run():
    return pretrained("point-gmps")


def collect(run, carry, goal, episodes, noise=1.0, seed=0):
    tasks = Tasks(torch.tensor([goal]))
    return rollout(run.env, tasks, lambda *x: act(run.state, *x), carry,
                   episodes=episodes, rng=np.random.default_rng(seed),
                   noise=noise)[0]


def as_page(data):
    """Episodes [1, E, T, .] as the page has them: a list of episodes."""
    return [{k: getattr(data, k)[0, e].tolist()
             for k in ("obs", "act", "rew", "logp")}
            for e in range(data.obs.shape[1])]


def far(here, there):
    """The largest difference between parameters {name: [1, ...]} and the
    page's."""
    return max(float((x[0] - torch.tensor(there[k])).abs().max())
               for k, x in here.items())


def test_numbers_are_those_of_the_shipped_policy():
    assert explore.PAGE.read_text() == explore.text()
    assert explore.PAGE.stat().st_size < 100_000


@pytest.mark.parametrize("goal", [[0.5, 0.85], [-1.0, 0.1], [0.1, -0.9]])
def test_adapted_parameters_agree(page, run, goal):
    """Over three steps in a row, each from the package's own episodes."""
    carry, params = start(run.state, 1), page.evaluate("model.params")
    for seed in range(3):
        data = collect(run, carry, goal, 20, seed=seed)
        adv = page.evaluate("e => gmps.advantages(model, e)", as_page(data))
        want = advantages(data, gamma=run.cfg.gamma, lam=run.cfg.lam)
        np.testing.assert_allclose(adv, want.flatten(), atol=1e-3)
        moved = adapt(run.state, carry, data)
        params = page.evaluate("([p, e]) => gmps.adapt(model, p, e)",
                               [params, as_page(data)])
        assert far(moved.params, params) < 1e-4
        assert far(carry.params, params) > 0.01  # a step was taken
        carry = moved


def test_importance_weights_agree(page, run):
    """Episodes of another policy: weights other than one, some clipped."""
    carry = start(run.state, 1)
    data = collect(run, carry, [0.5, 0.85], 20)
    data = data._replace(logp=data.logp + 2 * torch.randn(
        data.logp.shape, generator=torch.Generator().manual_seed(0)))
    params = page.evaluate("e => gmps.adapt(model, model.params, e)",
                           as_page(data))
    assert far(adapt(run.state, carry, data).params, params) < 1e-4


def test_paths_agree(page, run):
    for goal in ([0.5, 0.85], [-1.0, 0.1]):
        data = collect(run, start(run.state, 1), goal, 1, noise=0.0)
        [there] = page.evaluate("g => gmps.rollout(model, model.params, g, 1,"
                                "() => 0)", goal)
        for key in ("obs", "act", "rew"):
            np.testing.assert_allclose(there[key], getattr(data, key)[0, 0],
                                       atol=1e-4)


def test_the_page_explores_as_the_policy_does(page):
    """Its noise is standard normal, and its log-probabilities fit it."""
    x = np.array(page.evaluate(
        "n => { const f = gmps.normals(7); return Array.from({length: n}, f)}",
        20_000))
    assert abs(x.mean()) < 0.03 and abs(x.std() - 1) < 0.03
    assert abs((x**4).mean() - 3) < 0.3
    logp, want = page.evaluate("""() => {
        const f = gmps.normals(1), e = [], got = [];
        const runs = gmps.rollout(model, model.params, [1, 0], 5,
                                  () => { const x = f(); e.push(x); return x});
        return [runs.flatMap(r => r.logp), e.map(x => -0.5 * x * x)]}""")
    std = sum(page.evaluate("model.params.log_std"))
    want = np.array(want).reshape(-1, 2).sum(1) - std - np.log(2 * np.pi)
    np.testing.assert_allclose(logp, want, atol=1e-6)


def off(page):
    """What the page says, in meters."""
    return [float(line.split()[-3]) for line in
            page.inner_text("[data-part=list]").splitlines()]


def test_a_reader_drags_the_goal_and_adapts(page):
    box = page.locator("[data-part=scene]").bounding_box()

    def point(x, y):
        return (box["x"] + box["width"] * (x + 1.3) / 2.6,
                box["y"] + box["height"] * (1.3 - y) / 2.6)
    page.mouse.move(*point(0.5, 0.85))
    page.mouse.down()
    page.mouse.move(*point(-0.3, 0.4), steps=4)
    page.mouse.up()
    goal = page.locator("[data-part=goal]")
    x, y = re.findall(r"-?[\d.]+", goal.get_attribute("transform"))
    assert abs(np.hypot(float(x), float(y)) - 1) < 1e-6  # as in training
    assert 120 < int(goal.get_attribute("aria-valuenow")) < 134
    assert len(off(page)) == 1
    for _ in range(3):
        page.click("[data-part=go]")
    errors = off(page)
    assert len(errors) == 4 and max(errors[1:]) < 0.4 < errors[0]
    assert "After 3 steps" in page.inner_text("[role=status]")
    assert page.locator("[data-part=tries] path").count() == 20
    assert page.locator("[data-part=paths] path").count() == 4


def test_a_reader_needs_no_mouse(page):
    page.locator("[data-part=goal]").focus()
    goal = page.locator("[data-part=goal]")
    before = int(goal.get_attribute("aria-valuenow"))
    page.keyboard.press("ArrowLeft")
    assert int(goal.get_attribute("aria-valuenow")) - before in (5, -355)
    assert len(off(page)) == 1  # a new goal: adaptation begins anew
    page.keyboard.press("Tab")
    assert page.is_hidden("[data-part=end]")
    for _ in range(5):  # the last two do nothing: three steps are all
        page.keyboard.press("Enter")
    go = page.locator("[data-part=go]")
    assert len(off(page)) == 4 and page.is_visible("[data-part=end]")
    assert go.get_attribute("aria-disabled") == "true"
    assert "trained to take three" in page.inner_text("[role=status]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert len(off(page)) == 1 and page.is_hidden("[data-part=end]")
    assert go.get_attribute("aria-disabled") == "false"
