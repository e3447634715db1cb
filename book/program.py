"""Run another program; what it says if it fails is what a reader is told."""

import subprocess


class Problem(Exception):
    """What went wrong, in words that help."""


def call(*command, **more) -> str:
    """The output of a program; Problem, with its last lines, if it fails."""
    done = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, **more)
    if done.returncode:
        lines = (done.stdout + done.stderr).rstrip().splitlines()
        tail = "\n".join(f"    {line}" for line in lines[-25:])
        raise Problem(f"exit status {done.returncode}: "
                      f"{' '.join(map(str, command))[:200]}\n{tail}")
    return done.stdout
