"""Figures. Series differ by dash and marker as well as by color, and the
background is opaque, so that they read in print and in dark mode.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from scipy import stats

from .columns import Columns, after, by_seed, ledger

# Okabe and Ito's colors, which people with any color vision tell apart.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
          "#555555"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]


def style() -> None:
    """The book's figure style."""
    plt.rcParams.update({
        "figure.figsize": (6.4, 3.6), "figure.dpi": 110,
        "figure.facecolor": "white", "axes.facecolor": "white",
        "savefig.facecolor": "white", "figure.constrained_layout.use": True,
        "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.alpha": 0.25, "font.size": 10,
        "axes.titlesize": 11, "axes.titlelocation": "left",
        "legend.frameon": False, "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "axes.prop_cycle": plt.cycler(color=COLORS) + plt.cycler(
            linestyle=DASHES)})


def look(i: int) -> dict:
    """Color, dash and marker of series i."""
    i %= len(COLORS)
    return {"color": COLORS[i], "linestyle": DASHES[i], "marker": MARKERS[i]}


def interval(values: np.ndarray, seed: int = 0):
    """(middle, low, high) over the first axis: the interquartile mean and
    its 95 % bootstrap interval across seeds. With fewer than 4 seeds the
    trimmed mean is the plain mean; one seed has no interval.
    """
    values = np.asarray(values, dtype=float)

    def iqm(x, axis=0):
        return stats.trim_mean(x, 0.25, axis=axis)
    mid = iqm(values)
    if len(values) < 2:
        return mid, mid, mid
    ci = stats.bootstrap(
        (values,), iqm, axis=0, n_resamples=2000, method="percentile",
        rng=np.random.default_rng(seed)).confidence_interval
    return mid, ci.low, ci.high


def band(ax: Axes, x, values, i: int = 0, label: str = "") -> None:
    """One series with its interval; values [seeds, len(x)]."""
    mid, low, high = interval(values)
    ax.plot(x, mid, label=label, markevery=max(1, len(mid) // 8), **look(i))
    ax.fill_between(x, low, high, color=COLORS[i % len(COLORS)], alpha=0.18,
                    linewidth=0)


def learning_curve(ax: Axes, columns: Columns, key: str, i: int = 0,
                   label: str = "", experts: bool = True) -> None:
    """A metric over all environment steps, with its interval.

    experts: count the steps that the experts cost.
    """
    values = by_seed(columns, key)
    seen = ~np.isnan(values).any(0)  # iterations that were evaluated
    steps = ledger(columns, experts).mean(0)
    band(ax, steps[seen], values[:, seen], i, label)
    ax.set_xlabel("environment steps (experts "
                  f"{'included' if experts else 'not counted'})")


def compare(ax: Axes, tables: dict[str, Columns], key: str,
            experts: bool = True) -> None:
    """Learning curves of several results by label, steps on a log scale."""
    for i, (label, columns) in enumerate(tables.items()):
        learning_curve(ax, columns, key, i, label, experts)
    ax.set_xscale("log")
    ax.legend()


def around(ax: Axes, tables: dict[str, Columns], k: int, key: str = "ret",
           trained: tuple[float, float] = (0, 90)) -> None:
    """A metric after k steps over the direction of the goal, for tables of
    `gmps measure` by label.

    trained: degrees between which the training goals lie, shaded.
    """
    ax.axvspan(*trained, color="0.9", zorder=0)
    ax.text(sum(trained) / 2, 1, "trained on", ha="center", va="bottom",
            transform=ax.get_xaxis_transform())
    for i, (label, columns) in enumerate(tables.items()):
        band(ax, *after(columns, key, k, by="angle"), i, label)
    ax.set_xlim(0, 360)
    ax.set_xticks(range(0, 361, 45))
    ax.set_xlabel("direction of the goal (degrees)")
    ax.legend()


def adaptation_curve(ax: Axes, values, i: int = 0, label: str = "") -> None:
    """A metric after 0..K gradient steps; values [seeds or tasks, K+1]."""
    values = np.asarray(values, dtype=float)
    x = np.arange(values.shape[1])
    band(ax, x, values, i, label)
    ax.set_xticks(x)
    ax.set_xlabel("gradient steps on the new task")


def trajectories(ax: Axes, paths, goals, *, title: str = "",
                 ring: float | None = None) -> None:
    """Top view of paths [N, T, 2] and their goals [N, 2]: path i and goal i
    share a color and a marker.
    """
    paths, goals = np.asarray(paths), np.asarray(goals)
    for i, (path, goal) in enumerate(zip(paths, goals, strict=True)):
        c, m = COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]
        ax.plot(*path.T, color=c, linestyle="-", linewidth=1.3, alpha=0.85)
        ax.plot(*path[-1], marker=".", color=c)
        ax.plot(*goal, marker=m, color=c, markersize=8, linestyle="none",
                markerfacecolor="none", markeredgewidth=1.8)
    if ring is not None:
        ax.add_patch(plt.Circle((0, 0), ring, fill=False, color="0.75"))
    ax.set_aspect("equal")
    ax.set_title(title)
    ax.set_xlabel("x (m)")
    ax.set_ylabel("y (m)")


def panels(obs, goals, env) -> Figure:
    """Top views side by side after 0..K adaptation steps, one path a task.

    obs [N, K+1, T, O] as in `evaluate.Adaptation`; goals [N, 2].
    """
    obs = np.asarray(obs)
    k = obs.shape[1]
    fig, axes = plt.subplots(1, k, figsize=(1.9 * k, 3), sharex=True,
                             sharey=True, squeeze=False)
    for i, ax in enumerate(axes[0]):
        ax.locator_params(axis="x", nbins=3)
        title = "before" if i == 0 else f"after {i} step{'s' * (i > 1)}"
        trajectories(ax, obs[:, i, :, env.path], goals, title=title)
        ax.label_outer()
    return fig


def chapter_map(names: Sequence[str], today: int) -> Figure:
    """Two rows of boxes, one a chapter; today's is filled and bold."""
    across = (len(names) + 1) // 2
    fig, ax = plt.subplots(figsize=(6.8, 1.5))
    ax.set_axis_off()
    ax.set(xlim=(0, across), ylim=(-1, 1))
    for i, name in enumerate(names):
        now, x, y = i == today, i % across, -(i // across)
        ax.add_patch(FancyBboxPatch(
            (x + 0.08, y + 0.2), 0.8, 0.6, boxstyle="round,pad=0.02",
            facecolor=COLORS[0] if now else "#f2f2f2",
            edgecolor=COLORS[0] if i <= today else "#bbbbbb"))
        ax.text(x + 0.48, y + 0.5, f"{i}\n{name}", ha="center", va="center",
                fontsize=8, weight="bold" if now else "normal",
                color="white" if now else "black")
    return fig
