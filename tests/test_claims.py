"""Numbers in prose, in the README's table and on the page of results, each
against what is stored.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from gmps_lite import claims, cli, quotes, results

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))

import ledger  # noqa: E402

PROSE = sorted([*ROOT.glob("*.md"), *(ROOT / "book").rglob("*.md"),
                *(ROOT / "book").glob("ch*.ipynb")])
SCALE = {"%": 100, "cm": 100, "M": 1e-6, "million": 1e-6, "k": 1e-3}
QUOTE = re.compile(r"([-−]?(?:\d[\d,]*)?\.?\d+)\s*([^\W\d]+|%|×)?\**"
                   r"<!-- claim: (.+?) -->")


def prose(path: Path) -> str:
    """The text of a page, or of a notebook's Markdown cells; no code."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n\n".join("".join(c["source"]) for c in json.loads(text)[
            "cells"] if c["cell_type"] == "markdown")
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


def wrong(text: str) -> list[str]:
    """Quoted numbers that are not what the stored results say."""
    found = QUOTE.findall(text)
    out = [] if len(found) == text.count("<!-- claim:") else [
        "a claim without a number just before it"]
    for number, unit, words in found:
        number = number.replace(",", "").replace("−", "-")
        digits = len(number.partition(".")[2])
        true = quotes.quote(words) * SCALE.get(unit, 1)
        if abs(float(number) - true) > 0.5001 * 10.0**-digits:
            out.append(f"{number} {unit}: {words} is {true:.{digits + 2}f}")
    return out


@pytest.mark.parametrize("path", PROSE, ids=lambda p: p.name)
def test_prose_quotes_what_is_stored(path):
    assert not wrong(prose(path))


def test_readme_shows_the_claims_as_they_are():
    """Each row of the README's table that claims.py knows."""
    text = (ROOT / "README.md").read_text()
    rows = {row.what: row for row in claims.rows()}
    for line in text.splitlines():
        what, *rest = re.split(r"\s{2,}", line)
        if what in rows and rest:
            row = rows[what]
            assert rest == [row.value, row.bar, row.verdict]


def test_page_of_results_is_current(capsys):
    assert not ledger.write(check=True), capsys.readouterr().out


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A function that stores results in place of the package's own."""
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(results.resources, "files", lambda _: tmp_path)

    def make(name, rows, expert=500.0, minutes=30.0):
        record = {"method": "m", "env": name.rpartition("-")[0],
                  "config": {"expert": "x"}, "seeds": [0, 1, 2],
                  "commit": "c", "minutes": minutes, "hardware": "h",
                  "versions": {}, "expert": {"test": {"ret": expert}}}
        rows = [{"seed": s} | row for s in range(3) for row in rows]
        text = [",".join(rows[0])]
        text += [",".join(str(v) for v in row.values()) for row in rows]
        folder = tmp_path / "results"
        (folder / f"{name}.csv").write_text("\n".join(text))
        (folder / f"{name}.json").write_text(json.dumps(record))
    return make


def curve(*rets, steps=1000.0, expert_steps=0.0, error=0.02):
    """One iteration for each list of test returns after 0, 1, ... steps."""
    return [{"ret_post": i, "total_steps": expert_steps + steps * (i + 1),
             "steps_expert": 0 if i else expert_steps}
            | {f"test_ret_{k}": x for k, x in enumerate(ret)}
            | {f"test_error_{k}": error for k in range(len(ret))}
            for i, ret in enumerate(rets)]


def test_claims_that_nobody_measured_are_not_met(stored):
    found = claims.rows()
    assert len(found) == len(claims.CLAIMS) >= 15
    assert all(row.value == "not measured" and not row.met for row in found)


def test_sample_claims_count_experts_and_budgets(stored):
    stored("push-blind", curve([100, 0, 0, 0]))
    stored("push-gmps", curve([0, 100, 200, 300], [100, 300, 400, 500],
                              expert_steps=1000.0))
    stored("push-maml", curve([0, 0, 0, 0], [0, 0, 0, 459], steps=6000.0))
    # GMPS: score 1 after 3000 steps, a third of them the experts'
    value, met = claims.against("push", "maml", 4)
    assert value == "> 0.01 M / 0.00 M = > 4.0" and met
    assert not claims.against("push", "maml", 4.1)[1]
    stored("push-maml", curve([0, 0, 0, 0], [0, 0, 0, 461], steps=6000.0))
    assert claims.against("push", "maml", 4)[0].endswith("= 4.0")
    assert quotes.quote("ratio push maml gmps") == pytest.approx(4.0)
    assert quotes.quote("steps push-gmps own") == 2000
    value, met = claims.push()
    assert value.startswith("2.0 cm, score 0.50 after 1") and not met


def test_extrapolation_claim_wants_clear_intervals(stored):
    def table(ret):
        return [{"task": n, "k": k, "ret": ret + n + k, "error": 0.1}
                for n in (0, 1) for k in (0, 5)]
    for method, ret in (("gmps", 100), ("pearl", 90), ("maml", 80),
                        ("rl2", 70), ("multitask", 60)):
        stored(f"ant-{method}-beyond", table(ret))
    value, met = claims.beyond()
    assert met and value.startswith("gmps 106, pearl 96, maml 86")
    assert quotes.quote("after ant-gmps-beyond 5") == 105.5
    stored("ant-pearl-beyond", table(100))
    assert not claims.beyond()[1]  # the intervals touch
    stored("ant-pearl-beyond", table(50))
    stored("ant-rl2-beyond", table(200))
    assert not claims.beyond()[1]  # another one is best


def test_ant_claims_read_their_own_columns(stored):
    stored("ant-gmps", curve([0, 470, 480]))
    assert claims.quarter() == ("94% and 96% of 500, 3 seeds", True)
    stored("ant-gmps", curve([0, 470, 470]))
    assert not claims.quarter()[1]
    stored("ant-half-blind", curve([300, 300, 300, 300]))
    stored("ant-half-gmps", curve([300, 424, 440, 464]))
    bars = (0.6, 0.8)
    assert claims.circle("ant-half", bars) == ("0.62 and 0.82, 3 seeds",
                                               True)
    assert not claims.circle("ant-half", (0.6, 0.83))[1]


def test_expert_claim_reads_price_and_time(stored):
    rows = curve([500], steps=2.5e6)
    stored("ant-sac", rows, minutes=90)
    assert claims.price("ant-sac") == (
        "return 500, 2.50 M steps, 30 min, 3 seeds", True)
    stored("ant-sac", rows, minutes=190)
    assert not claims.price("ant-sac")[1]


def test_wrong_quotes_are_found(stored):
    stored("e-gmps", curve([0, 25], error=0.0249))
    good = ("ends at **2.5 cm**<!-- claim: value e-gmps test_error_1 -->, "
            "2.49 cm<!-- claim: value e-gmps test_error_1 --> or 1,000"
            "<!-- claim: steps e-gmps --> steps, 10 minutes"
            "<!-- claim: minutes e-gmps -->")
    assert not wrong(good)
    assert "test_error_1 is 2.490" in wrong(good.replace("2.5", "2.4"))[0]
    assert wrong("many<!-- claim: steps e-gmps -->")
    with pytest.raises(KeyError):
        wrong("1<!-- claim: nonsense e-gmps -->")


def test_the_command_prints_the_table(capsys):
    cli.main(["claims"])
    out = capsys.readouterr().out.splitlines()
    assert len(out) == len(claims.CLAIMS)
    assert any(line.endswith("  met") for line in out)


def test_row_values_are_finite(stored):
    """A method that never arrives leaves no infinity in the table."""
    stored("ant-blind", curve([100, 0]))
    stored("ant-gmps", curve([0, 500]))
    stored("ant-pearl", curve([0, 0]))
    value, met = claims.against("ant", "pearl", 1 / 1.1)
    assert "inf" not in value and met and np.isfinite(
        quotes.quote("samples ant pearl"))
