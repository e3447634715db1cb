"""What the stored results promise, each against its bar."""

from __future__ import annotations

from typing import NamedTuple

from .envs import make
from .evaluate import evaluate_expert
from .results import best_rows, results


class Row(NamedTuple):
    what: str
    value: str
    bar: str
    met: bool


def learned_point() -> Row:
    """Share of the way from the pre-update policy to the expert."""
    best = best_rows(results("point-gmps")[0])
    env = make("point")
    top = float(evaluate_expert(env, env.splits["test"].tasks,
                                env.expert).ret.mean())
    way = (best["test_ret_1"] - best["test_ret_0"]) / (
        top - best["test_ret_0"])
    ok = way.mean() >= 0.8 and way.min() >= 0.6 and len(way) >= 5
    return Row(f"point, held out, after one step, {len(way)} seeds",
               f"{way.mean():.0%} of the way, worst seed {way.min():.0%}",
               ">= 80%, worst >= 60%", bool(ok))


def learned_push() -> Row:
    """Distance and success on the 20 validation goals."""
    best, record = best_rows(results("push-gmps")[0]), results(
        "push-gmps")[1]
    blind = best_rows(results("push-blind")[0])
    error, success = best["test_error_3"], best["test_success_3"]
    each = record["minutes"] / len(error)
    ok = (error.mean() <= 0.03 and success.mean() >= 0.8
          and len(error) >= 3 and each <= 15)
    return Row(f"push, validation goals, 3 steps, {len(error)} seeds",
               f"{100 * error.mean():.1f} cm, {success.mean():.0%} "
               f"(goal-blind {100 * blind['test_error_0'].mean():.1f} cm, "
               f"{blind['test_success_0'].mean():.0%}), {each:.0f} min each",
               "<= 3 cm, >= 80%, <= 15 min", bool(ok))


def more_steps(name: str) -> Row:
    """Returns after 2 and 3 steps against the return after 1."""
    best = best_rows(results(name)[0])
    ret = [float(best[f"test_ret_{k}"].mean()) for k in (1, 2, 3)]
    return Row(f"{name}, return after 1, 2, 3 steps",
               ", ".join(f"{r:.1f}" for r in ret),
               "2 and 3 not below 1", min(ret[1:]) >= ret[0])
