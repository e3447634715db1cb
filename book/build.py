"""Run the notebooks, build the site, keep the notebooks' shared cells equal.

    python book/build.py run [--fast] [--jobs 2] [--only ch03]
    python book/build.py site [--strict]
    python book/build.py sync [--check]
    python book/build.py results [--check]
    python book/build.py explore [--check]

`run` writes executed copies to _build/book; the site is built from those
with execution off, so the notebooks in git never hold outputs.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

import explore
import ledger
import runtimes
from sync import BOOK, ROOT, chapters, hide_injected, sync

STAGE = ROOT / "_build" / "book"  # the source folder of the site
TIMES = STAGE / "runtimes.json"
WORK = ROOT / "_build" / "work"  # notebooks in progress, and their logs
LIMIT = {"fast": 300, "full": 1800}  # seconds; slow shared machines included


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def read_record() -> dict:
    return json.loads(TIMES.read_text()) if TIMES.exists() else {}


class Job:
    """One notebook in its own papermill process."""

    def __init__(self, source: Path, mode: str):
        self.source, self.name = source, source.stem
        self.sha = digest(source)
        self.out = WORK / source.name
        self.log = WORK / f"{self.name}.log"
        # An empty folder of its own: nothing may rely on relative paths.
        self.cwd = tempfile.mkdtemp(prefix=f"gmps-{self.name}-")
        self.begun = time.monotonic()
        command = [sys.executable, "-m", "papermill", source, self.out]
        command += ["-p", "FAST", str(mode == "fast"), "-k", "python3"]
        command += ["--cwd", self.cwd, "--no-progress-bar"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this program alone, which then ends the job.
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def poll(self) -> tuple[int, float] | None:
        """Exit status and peak MB of the largest process, once it ended."""
        # wait4 also counts what the child has waited for: here, the kernel.
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            return None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return self.process.returncode, usage.ru_maxrss / unit

    def kill(self) -> None:
        if self.process.returncode is None:
            parent = psutil.Process(self.process.pid)
            for process in [*parent.children(recursive=True), parent]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait()
        shutil.rmtree(self.cwd, ignore_errors=True)

    def explain(self, reason: str) -> str:
        text = self.log.read_text(errors="replace").rstrip()
        # Papermill's own frames come before this mark and help nobody.
        text = text.rpartition("Exception encountered at")[2]
        tail = "\n".join(f"    {line}" for line in text.splitlines()[-25:])
        return f"{tail}\n    {reason}; as far as it got: {self.out}"


def run(mode: str, jobs: int, only: list[str], limit: float | None) -> int:
    todo = [p for p in chapters() if not only or p.stem in only]
    present = {p.stem for p in todo if p.exists()}
    absent = sorted({*only, *(p.stem for p in todo)} - present)
    if absent:
        print(f"no such notebook in book/ or its _toc.yml: {absent}")
        return 1
    for folder in (STAGE, WORK):
        folder.mkdir(parents=True, exist_ok=True)
    limit = limit or LIMIT[mode]
    record = read_record() | {"machine": runtimes.machine()}
    total, done, failed, running = len(todo), 0, [], []
    print(f"{total} notebooks, {mode}, {jobs} at a time")
    try:
        while todo or running:
            while todo and len(running) < jobs:
                (STAGE / todo[0].name).unlink(missing_ok=True)
                running.append(Job(todo.pop(0), mode))
            time.sleep(0.2)
            for job in list(running):
                reason, peak, ended = "", 0.0, job.poll()
                if ended:
                    code, peak = ended
                    reason = f"exit status {code}" if code else ""
                elif job.seconds > limit:
                    reason = f"over the limit of {limit:g} s"
                else:
                    continue
                job.kill()
                running.remove(job)
                done += 1
                word = "FAIL" if reason else "ok"
                cost = f"{job.seconds:5.0f} s {peak:6.0f} MB"
                print(f"{job.name}  {word:4s} {cost}   [{done}/{total}]")
                if reason:
                    print(job.explain(reason))
                    failed.append(job.name)
                    continue
                hide_injected(job.out)
                job.out.replace(STAGE / job.source.name)
                record.setdefault("notebooks", {})[job.name] = {
                    "mode": mode, "seconds": round(job.seconds, 1),
                    "peak_mb": round(peak), "source": job.sha,
                }  # fmt: skip
                TIMES.write_text(json.dumps(record, indent=1) + "\n")
    except KeyboardInterrupt:
        print("stopped")
        return 130
    finally:
        for job in running:
            job.kill()
    print(f"failed: {' '.join(failed)}" if failed else "all ok")
    return 1 if failed else 0


def site(strict: bool) -> int:
    record = read_record()
    for path in chapters():
        entry = record.get("notebooks", {}).get(path.stem)
        if not entry or not (STAGE / path.name).exists():
            why = "not executed"
        elif entry["source"] != digest(path):
            why = "edited since it was executed"
        else:
            continue
        print(f"{path.name}: {why}: first python book/build.py run")
        return 1
    if ledger.write(check=True):
        return 1
    ran = {path.name for path in chapters()} | {TIMES.name}
    for old in STAGE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        elif old.name not in ran:
            old.unlink()
    skip = shutil.ignore_patterns("*.ipynb", "*.py", ".*", "__pycache__")
    shutil.copytree(BOOK, STAGE, ignore=skip, dirs_exist_ok=True)
    page = STAGE / "appendix" / "runtimes.md"
    page.write_text(runtimes.page(record))
    # From nothing: an incremental build is silent about unchanged pages.
    for folder in ("html", ".doctrees", "jupyter_execute"):
        shutil.rmtree(ROOT / "_build" / folder, ignore_errors=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", STAGE]
    command += ["--config", ROOT / "_config.yml", "--path-output", ROOT, "-q"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    index = ROOT / "_build" / "html" / "index.html"
    for line in [*done.stdout.splitlines(), *done.stderr.splitlines()]:
        if done.returncode or "WARNING" in line:
            print(line)
    print("the site failed" if done.returncode else f"site: {index}")
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    p = parts.add_parser("run", help="execute the notebooks")
    p.add_argument("--fast", action="store_true", help="FAST=True")
    p.add_argument("--jobs", type=int, default=2, help="notebooks at a time")
    p.add_argument("--only", nargs="+", default=[], metavar="ch03")
    p.add_argument("--limit", type=float, help="seconds for one notebook")
    p = parts.add_parser("site", help="build the site from them")
    p.add_argument("--strict", action="store_true", help="warnings fail")
    p = parts.add_parser("sync", help="rewrite the shared cells")
    p.add_argument("--check", action="store_true", help="only compare")
    p = parts.add_parser("results", help="rewrite the page of results")
    p.add_argument("--check", action="store_true", help="only compare")
    p = parts.add_parser("explore", help="rewrite the front page's numbers")
    p.add_argument("--check", action="store_true", help="only compare")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # through a pipe too
    # Ended from outside, by a time limit say: stop as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if args.part == "run":
        if args.jobs < 1:
            parser.error(f"--jobs {args.jobs}: at least 1")
        mode = "fast" if args.fast else "full"
        return run(mode, args.jobs, args.only, args.limit)
    if args.part in ("results", "explore"):
        return {"results": ledger, "explore": explore}[args.part].write(
            args.check)
    return site(args.strict) if args.part == "site" else sync(args.check)


if __name__ == "__main__":
    sys.exit(main())
