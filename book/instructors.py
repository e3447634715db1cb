"""The tables of appendix/instructors.md and the list of all exercises.

`python book/build.py sync` writes both from the notebooks; the tests refuse
what is out of date, and an exercise that changed without a word.
"""

import re

from gmps_lite.course.editions import OTTER, source, words
from gmps_lite.course.read import POINTS, Item, chapters, exercises
from sync import BOOK, ROOT

PAGE = BOOK / "appendix" / "instructors.md"
LIST = BOOK / "exercises.txt"
# When, which chapters; which levels of exercises are handed in.
PLANS = {
    "two": (["warm-up"], "day", [[0, 1], [2], [3], [5], [6], [7], [8], [10],
                                 [11], [12]]),
    "six": (["warm-up", "core"], "week", [[0, 1, 2], [3, 4], [5, 6], [7, 8],
                                          [9, 10], [11, 12, 13]]),
    "twelve": (["warm-up", "core", "stretch"], "week", [
        [0, 1], [2], [3], [4], [5], [6], [7], [8], [9], [10, 11], [12],
        [13]]),
}
# What is read of a chapter that a plan leaves out, and when.
SKIM = {
    ("two", 5): (4, ["See it first", "The return after the update"]),
    ("two", 7): (4, ["Put together: MAML-TRPO"]),
    ("two", 9): (9, ["The block, the jaw, the reward",
                     "The exploring hand keeps the block"]),
}


def reading(nb, some: list[str] | None = None) -> int:
    """Minutes to read and run a chapter, without its exercises, or some of
    its sections: 80 words of prose a minute, a minute a cell of code, to the
    next five.
    """
    found, title = {"": 0.0}, ""
    for cell in nb.cells:
        if cell.cell_type == "code":
            found[title] += 1
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.M):
            if part.startswith("## "):
                title = part[3:].partition("\n")[0]
                found[title] = 0.0
            found[title] += len(re.findall(r"[A-Za-z]{2,}", part)) / 80
    names = list(found)
    some = some or names[:names.index("Exercises")]
    return -int(-sum(found[name] for name in some) // 5) * 5


def hours(minutes: int) -> str:
    return f"{minutes / 60:.1f}"


def sections() -> dict[str, str]:
    """The tables of the page by name."""
    books = {int(k[2:]): nb for k, nb in chapters(BOOK).items()}
    items = {k: exercises(nb, f"ch{k:02d}") for k, nb in books.items()}
    out = {}
    for name, (levels, unit, plan) in PLANS.items():
        rows = [f"| {unit} | chapters | hand in | hours |", "|---|---|---|---:"
                "|"]
        total = [0, 0, 0]  # minutes, exercises, points
        for i, some in enumerate(plan, 1):
            mine = [x for k in some for x in items[k] if x.level in levels]
            spent = sum(reading(books[k]) for k in some) + sum(
                x.minutes for x in mine)
            links = ", ".join(f"[{k}](../ch{k:02d}.ipynb)" for k in some)
            if (name, i) in SKIM:
                k, parts = SKIM[name, i]
                links += (f"; skim [{k}](../ch{k:02d}.ipynb), "
                          f"{reading(books[k], parts)} min: *"
                          + "*, *".join(parts) + "*")
                spent += reading(books[k], parts)
            rows.append(f"| {i} | {links} | {', '.join(x.name for x in mine)} "
                        f"| {hours(spent)} |")
            for j, n in enumerate((spent, len(mine), sum(
                    x.points for x in mine))):
                total[j] += n
        rows.append(f"| all | | {total[1]} exercises, {total[2]} points "
                    f"| {hours(total[0])} |")
        taught = sorted(k for some in plan for k in some)
        flags = [f"--levels {' '.join(levels)}"] * (len(levels) < len(POINTS))
        flags += [f"--only {' '.join(f'ch{k:02d}' for k in taught)}"] * (
            len(taught) < len(books))
        command = ["gmps course build out --seed 2027", *flags]
        out[name] = "\n".join([*rows, "", "```bash",
                               " \\\n    ".join(command), "```"])
    left = set(books) - {k for some in PLANS["twelve"][2] for k in some}
    if left:
        raise ValueError(f"chapters {left} are in no week of PLANS['twelve'] "
                         "of book/instructors.py")
    rows = ["| chapter | reading | exercises | of these stretch | points |",
            "|---|---:|---:|---:|---:|"]
    for k, nb in books.items():
        title = re.match(r"# \d+\. (.+)", nb.cells[0].source)[1]
        all_, far = (sum(x.minutes for x in items[k] if x.level in levels)
                     for levels in (("warm-up", "core", "stretch"),
                                    ("stretch",)))
        rows.append(f"| [{k}. {title}](../ch{k:02d}.ipynb) "
                    f"| {reading(nb)} | {all_} | {far} "
                    f"| {sum(x.points for x in items[k])} |")
    out["chapters"] = "\n".join(rows)
    rows = ["| exercise | title | level | minutes | points |",
            "|---|---|---|---:|---:|"]
    rows += [f"| {x.name} | {x.title} | {x.level} | {x.minutes} | {x.points} |"
             for k in items for x in items[k]]
    return out | {"exercises": "\n".join(rows), "students": words(
        "students.md", otter=OTTER,
        source=source(books[0], "ch00", "v1.0")).strip()}


def page(text: str) -> str:
    """The page with its tables between their marks."""
    for name, table in sections().items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, _, rest = text.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise ValueError(f"{PAGE.name} has no place for {name!r}")
        text = f"{head}{begin}\n\n{table}\n\n{end}{tail}"
    return text


def everything() -> list[Item]:
    """All exercises of the book."""
    return [x for name, nb in chapters(BOOK).items()
            for x in exercises(nb, name)]


def listed(text: str) -> dict[str, str]:
    """Name and first digest of each exercise there ever was."""
    rows = [line.split(maxsplit=2) for line in text.splitlines()
            if line.startswith("E")]
    return {row[0]: row[1] for row in rows}


def unsaid(items: list[Item], first: dict[str, str],
           changelog: str) -> list[str]:
    """What CHANGELOG.md should say about exercises, and does not."""
    now, out = {x.name: x for x in items}, []
    for name, digest in first.items():
        if name not in now:
            line = f"- {name} (retired)"
        elif now[name].digest != digest:
            line = f"- {name} ({now[name].digest})"
        else:
            continue
        if line not in changelog:
            out.append(f"{name} is not what it was: under 'Changed "
                       f"exercises' in CHANGELOG.md say '{line}: why'")
    return out


def write(check: bool) -> int:
    """Write page and list, or only compare; how many are out of date."""
    items = everything()
    text = LIST.read_text()
    new = [x for x in items if x.name not in listed(text)]
    todo = {LIST: text + "".join(f"{x.name} {x.digest} {x.title}\n"
                                 for x in new),
            PAGE: page(PAGE.read_text())}
    wrong = 0
    for path, text in todo.items():
        if text != path.read_text():
            wrong += 1
            name = path.relative_to(ROOT)
            print(f"{name}: {'out of date' if check else 'ok'}")
            if not check:
                path.write_text(text)
    for line in unsaid(items, listed(todo[LIST]),
                       (ROOT / "CHANGELOG.md").read_text()):
        print(line)
    return wrong
