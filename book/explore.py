"""The numbers behind the front page's experiment, front/point.json.

`python book/build.py explore` writes them from the shipped policy; the tests
refuse a file that is out of date.
"""

import json
from pathlib import Path

from gmps_lite import advantages, checkpoint
from gmps_lite.book import pretrained
from gmps_lite.envs import point

PAGE = Path(__file__).parent / "front" / "point.json"


def model() -> dict:
    """All that the page needs to roll out and adapt `point-gmps`."""
    run = pretrained("point-gmps")
    learner = run.state.learner

    def numbers(tree):
        return {k: x.detach().numpy().tolist() for k, x in tree.items()}
    return {
        "params": numbers(learner.meta.params),
        "steps": numbers(learner.meta.step),
        "policy": {"mid": learner.policy.mid.tolist(),
                   "scale": learner.policy.scale.tolist()},
        "gamma": learner.gamma, "lam": learner.lam,
        "ridge": advantages.RIDGE, "max_ratio": run.cfg.max_ratio,
        "horizon": run.env.horizon, "step": point.STEP,
        "most": run.cfg.inner_steps}


def text() -> str:
    def short(x):  # float32 has seven digits; more is dead weight
        if isinstance(x, dict):
            return {k: short(v) for k, v in x.items()}
        if isinstance(x, list):
            return [short(v) for v in x]
        return float(f"{x:.7g}") if isinstance(x, float) else x
    return json.dumps(short(model()), separators=(",", ":")) + "\n"


def write(check: bool) -> int:
    """Write the file, or only say whether it is up to date."""
    new = text()
    if PAGE.exists() and PAGE.read_text() == new:
        return 0
    if check:
        print(f"{PAGE.name} is out of date: python book/build.py explore")
        return 1
    checkpoint.write(PAGE, new.encode())
    print(f"wrote {PAGE.relative_to(PAGE.parents[2])}")
    return 0
