"""The page of stored results, appendix/results.md.

`python book/build.py results` writes it from gmps_lite/results; the site
and the tests refuse one that is out of date.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np

from gmps_lite.claims import rows
from gmps_lite.columns import after, best_rows, ledger
from gmps_lite.envs import make
from gmps_lite.plots import interval
from gmps_lite.results import Missing, results
from gmps_lite.score import scored

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "appendix" / "results.md"
INTRO = """# Results

Every stored result of the package, as `gmps_lite/results/` has it: a table
with a record beside it, which says what made it. This page is generated from
them by `python book/build.py results`; the claims alone by `gmps claims`.

Numbers are interquartile means over seeds of the checkpoint that did best on
*training* tasks, each with its 95 % bootstrap interval across seeds in
brackets. *Score* is 0 for the goal-blind imitator of the same experts and 1
for the experts. Environment steps are counted once, the experts' apart;
those of evaluation are in neither. Minutes are those of one seed. A `+`
after a commit stands for changes that were not committed.
"""


def span(values, digits: int) -> str:
    """A middle and its interval."""
    mid, low, high = (float(x) for x in interval(values))
    if not np.isfinite(mid):
        return ""
    text = f"{mid:.{digits}f}"
    return text + f" [{low:.{digits}f}, {high:.{digits}f}]" * (low < high)


def grid(head: list[str], body: list[list[str]]) -> list[str]:
    """A Markdown table, all but its first column to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *body)] + [""]


def facts(columns: dict, record: dict) -> list[str]:
    """How a result was made."""
    n = len(record["seeds"])
    lines = [f"- {record['method']} on {record['env']}, "
             f"{n} seed{'s' * (n > 1)}, "
             f"{record['minutes'] / n:.1f} minutes each"]
    if "total_steps" in columns:
        every = ledger(columns)[:, -1].mean()
        own = ledger(columns, experts=False)[:, -1].mean()
        lines += [f"- environment steps of one seed: {own:,.0f}, and the "
                  f"experts' {every - own:,.0f}"]
    if "expert" in record:
        lines += [f"- the expert `{record['config']['expert']}` earns "
                  + ", ".join(f"{s['ret']:.1f} ({split})" for split, s in
                              record["expert"].items())]
    return lines + [f"- `{record.get('command', 'unknown')}`",
                    f"- commit {record['commit'].replace('; ', ', ')}",
                    f"- {record['hardware']}, " + ", ".join(
                        f"{k} {v}" for k, v in record["versions"].items()),
                    ""]


def steps_table(name: str, columns: dict, record: dict) -> list[str]:
    """Return, error, success and score after 0 to K adaptation steps."""
    with suppress(Missing):  # of a goal-blind policy there: no score
        columns = scored(name)
    best, unit = best_rows(columns), make(record["env"]).unit
    body = []
    for k in range(99):
        if f"test_ret_{k}" not in best:
            break
        score = best.get(f"score_{k}")
        body.append([str(k), span(best[f"test_ret_{k}"], 1),
                     span(best[f"test_error_{k}"], 3),
                     span(best[f"test_success_{k}"], 2),
                     "" if score is None else span(score, 2)])
    return grid(["steps", "return", f"error ({unit})", "success", "score"],
                body)


def measured_table(columns: dict, record: dict) -> list[str]:
    """The same of a table that `gmps measure` made."""
    unit, body = make(record["env"]).unit, []
    for k in sorted({int(k) for k in columns["k"]}):
        body.append([str(k), *(span(after(columns, key, k)[1], digits)
                               for key, digits in (
                                   ("ret", 1), ("error", 3), ("success", 2)))])
    where = record["splits"]
    return [f"Splits of {where['env']}: {', '.join(where['names'])}; "
            f"{where['episodes']} episodes a step.", "",
            *grid(["steps", "return", f"error ({unit})", "success"], body)]


def page() -> str:
    """The whole page."""
    names = sorted(p.stem for p in (ROOT / "gmps_lite/results").glob("*.csv"))
    lines = [INTRO, "## Claims", "", *grid(
        ["what", "measured", "bar", ""],
        [[r.what, r.value, r.bar, r.verdict.lower()]
         for r in rows()])]
    for name in names:
        columns, record = results(name)
        lines += [f"## {name}", ""]
        if "k" in columns and "splits" in record:
            lines += measured_table(columns, record)
        elif "test_ret_0" in columns and "ret_post" in columns:
            lines += steps_table(name, columns, record)
        lines += facts(columns, record)
    return "\n".join(lines)


def write(check: bool) -> int:
    """Write the page, or only say whether it is out of date; exit status."""
    text = page()
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    if check:
        print(f"{PAGE.relative_to(ROOT)} is out of date: "
              "python book/build.py results")
        return 1
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0
