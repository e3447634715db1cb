"""What the stored results promise, each against its bar."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from .columns import after, best_rows, ledger
from .plots import interval
from .results import Missing, results
from .score import samples, scored

OTHERS = ("pearl", "maml", "rl2", "multitask")  # beyond the training tasks


class Row(NamedTuple):
    what: str
    value: str
    bar: str
    met: bool

    @property
    def verdict(self) -> str:
        return "no bar" if self.bar == "none" else ("NOT MET", "met")[self.met]


def expert_return(env: str) -> float:
    """Of the expert that GMPS imitates there, on the test split."""
    return results(f"{env}-gmps")[1]["expert"]["test"]["ret"]


def point() -> tuple[str, bool]:
    best, top = best_rows(results("point-gmps")[0]), expert_return("point")
    way = (best["test_ret_1"] - best["test_ret_0"]) / (
        top - best["test_ret_0"])
    return (f"{way.mean():.0%} of the way, worst of {len(way)} seeds "
            f"{way.min():.0%}",
            way.mean() >= 0.8 and way.min() >= 0.6 and len(way) >= 5)


def quarter() -> tuple[str, bool]:
    best, top = best_rows(results("ant-gmps")[0]), expert_return("ant")
    one, two = (best[f"test_ret_{k}"].mean() / top for k in (1, 2))
    n = len(best["seed"])
    return (f"{one:.0%} and {two:.0%} of {top:.0f}, {n} seeds",
            max(one, two) >= 0.95 and n >= 3)


def circle(env: str, bars: tuple[float, float]) -> tuple[str, bool]:
    best = best_rows(scored(f"{env}-gmps"))
    one, three, n = (best["score_1"].mean(), best["score_3"].mean(),
                     len(best["seed"]))
    return (f"{one:.2f} and {three:.2f}, {n} seeds",
            one >= bars[0] and three >= bars[1] and n >= 3)


def push() -> tuple[str, bool]:
    best, record = best_rows(scored("push-gmps")), results("push-gmps")[1]
    ks = range(1, 4)
    error = np.array([best[f"test_error_{k}"].mean() for k in ks])
    k, n = int(error.argmin()), len(best["seed"])
    share = best[f"score_{ks[k]}"].mean()
    return (f"{100 * error[k]:.1f} cm, score {share:.2f} after {ks[k]}, "
            f"{n} seeds, {record['minutes'] / n:.0f} min each",
            error[k] <= 0.025 and share >= 0.7 and n >= 3)


def against(env: str, other: str, bar: float) -> tuple[str, bool]:
    """Samples of another method over those of GMPS, at least `bar`; for a
    method that never gets there, its budget is the least that it needs.
    """
    ours, _ = samples(env, "gmps")
    theirs, budget = samples(env, other)
    more, ours = "> " * bool(np.isinf(theirs).any()), ours.mean()
    theirs = np.minimum(theirs, budget).mean()
    return (f"{more}{theirs / 1e6:.2f} M / {ours / 1e6:.2f} M = "
            f"{more}{theirs / ours:.1f}", theirs / ours >= bar)


def beyond(k: int = 5) -> tuple[str, bool]:
    """Means over seeds; intervals of GMPS and of PEARL must not meet."""
    found = {}
    for method in ("gmps", *OTHERS):
        table = results(f"ant-{method}-beyond")[0]
        found[method] = interval(after(table, "ret", k)[1])
    words = ", ".join(f"{m} {x[0]:.0f}" for m, x in found.items())
    ours = found["gmps"]
    return (f"{words} (intervals from {ours[1]:.0f}, PEARL's to "
            f"{found['pearl'][2]:.0f})",
            ours[0] >= max(x[0] for x in found.values())
            and ours[1] > found["pearl"][2])


SPARSE = ("push-sparse", "door", "ant-sparse")
REWARDED = ("maml", "pearl", "rl2", "maesn")  # learn from rewards alone


def success(name: str, ks=range(1, 6)) -> np.ndarray:
    """Share of unseen tasks solved after at most 5 steps, at best, [seeds]."""
    best = best_rows(results(name)[0])
    return np.max([best[f"test_success_{k}"] for k in ks], axis=0)


def shown(env: str) -> tuple[str, bool]:
    """Guided search from demonstrations, and the imitator it begins with."""
    ours, record = success(f"{env}-gmps"), results(f"{env}-gmps")[1]
    blind = success(f"{env}-blind", [0]).mean()
    each, n = record["minutes"] / len(ours), len(ours)
    return (f"{ours.mean():.0%}, worst of {n} seeds {ours.min():.0%} "
            f"(goal-blind {blind:.0%}), {each:.0f} min each",
            ours.mean() >= 0.7 and ours.min() > blind + 0.2 and n >= 3
            and each <= 15)


def tuned(env: str) -> tuple[str, bool]:
    """Success after 1 to 5 steps, of guided search and of fine-tuning."""
    ours, plain = ([success(f"{env}-{m}", [k]).mean() for k in range(1, 6)]
                   for m in ("gmps", "blind"))
    words = [" ".join(f"{100 * x:.0f}" for x in y) for y in (ours, plain)]
    return (f"{words[0]} against {words[1]} %",
            all(a > b for a, b in zip(ours, plain, strict=True)))


def unrewarded(env: str) -> tuple[str, bool]:
    """Intervals of methods that learn from rewards alone must end below
    that of guided search, which has a tenth of their steps.
    """
    own = ledger(results(f"{env}-gmps")[0], experts=False)[:, -1].mean()
    low, words, apart = interval(success(f"{env}-gmps"))[1], [], True
    for method in REWARDED:
        table = results(f"{env}-{method}")[0]
        mid, _, high = interval(success(f"{env}-{method}"))
        enough = ledger(table)[:, -1].min() >= 9.5 * own
        apart = apart and high < low and enough
        words.append(f"{method} {mid:.0%}" + " (short)" * (not enough))
    return f"from {low:.0%}; " + ", ".join(words), apart


def seen(body: str) -> tuple[str, bool]:
    """Guided search from pixels; its imitator, and the same from numbers."""
    name, ks = f"{body}-pixels-gmps", range(1, 4)
    ours, record = success(name, ks), results(name)[1]
    blind = success(f"{body}-pixels-blind", [0]).mean()
    plain, n = success(f"{body}-gmps", ks).mean(), len(ours)
    each = record["minutes"] / n
    return (f"{ours.mean():.0%}, worst of {n} seeds {ours.min():.0%} "
            f"(goal-blind {blind:.0%}, from numbers {plain:.0%}), "
            f"{each:.0f} min each",
            ours.mean() >= 0.6 and n >= 2 and each <= 60)


def price(name: str) -> tuple[str, bool]:
    """What a contextual expert cost, samples and minutes of one run."""
    columns, record = results(name)
    steps, n = ledger(columns)[:, -1].mean(), len(record["seeds"])
    each = record["minutes"] / n
    ret = best_rows(columns)["test_ret_0"].mean()
    return (f"return {ret:.0f}, {steps / 1e6:.2f} M steps, {each:.0f} min, "
            f"{n} seeds", steps <= 3e6 and each <= 60)


def more_steps(name: str) -> tuple[str, bool]:
    best = best_rows(results(name)[0])
    ret = [float(best[f"test_ret_{k}"].mean()) for k in (1, 2, 3)]
    return ", ".join(f"{r:.1f}" for r in ret), min(ret[1:]) >= ret[0]


SAMPLES = "samples to 0.9 of GMPS's final score"
CLAIMS: list[tuple[str, str, Callable[[], tuple[str, bool]]]] = [
    ("point, held out, after one step", ">= 80%, worst >= 60%", point),
    ("ant, held out, 1 and 2 steps, of the expert's return", ">= 95%",
     quarter),
    ("ant-half, held out, score after 1 and 3 steps", ">= 0.6, >= 0.8",
     partial(circle, "ant-half", (0.6, 0.8))),
    ("ant-full, held out, score after 1 and 3 steps", "none",
     partial(circle, "ant-full", (-np.inf, -np.inf))),
    ("push, validation goals, at most 3 steps", "<= 2.5 cm, >= 0.7", push),
    *[(f"{env}, {SAMPLES}, {name} / GMPS", f">= {bar:.2g}",
       partial(against, env, name.lower(), bar)) for env, name, bar in (
           ("ant-half", "MAML", 12), ("push", "MAML", 4),
           ("ant", "PEARL", 1 / 1.1), ("ant-half", "PEARL", 1 / 1.1),
           ("push", "PEARL", 1 / 1.1))],
    ("ant, beyond the training angles, 5 steps, return",
     "GMPS best, clear of PEARL", beyond),
    *[(f"{env}, demonstrations, unseen tasks within 5 steps",
       ">= 70%, clear of goal-blind", partial(shown, env)) for env in SPARSE],
    *[(f"{env}, after 1 to 5 steps, against fine-tuning", "ahead each time",
       partial(tuned, env)) for env in SPARSE],
    *[(f"{env}, against rewards alone, 10 x the steps", "intervals apart",
       partial(unrewarded, env)) for env in SPARSE],
    *[(f"{body} from pixels, unseen tasks within 3 steps", ">= 60%",
       partial(seen, body)) for body in ("push", "door")],
    *[(f"expert {name}, contextual", "<= 3 M steps, <= 60 min",
       partial(price, name)) for name in ("ant-sac", "ant-ppo")],
    *[(f"{name}, return after 1, 2, 3 steps", "2 and 3 not below 1",
       partial(more_steps, name)) for name in ("point-gmps", "push-gmps")],
]


def rows() -> list[Row]:
    """Every claim; one whose results are not there yet is not met."""
    found = []
    for what, bar, claim in CLAIMS:
        try:
            value, met = claim()
        except Missing:
            value, met = "not measured", False
        found.append(Row(what, value, bar, bool(met)))
    return found


def table(found: list[Row]) -> str:
    """Rows in aligned columns."""
    width = [*(max(len(row[i]) for row in found) for i in range(3)), 0]
    return "\n".join("  ".join(map(str.ljust, (*row[:3], row.verdict), width))
                     for row in found)


def main() -> None:
    """Print what the stored results promise, each against its bar."""
    print(table(rows()))
