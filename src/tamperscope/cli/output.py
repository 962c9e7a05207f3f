"""What commands share at the terminal: the output folder and the progress line."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tamperscope.errors import OutputError

AFFINITY_PICTURES = ("self_affinity", "cross_affinity", "linked")
# panels.json stays until it is written again: it may be what --panels names.
OURS = (
    "findings.json", "report.html", "evidence", "a_mask.png", "b_mask.png", "localize.json",
    "affinity.json", *(f"{panel}_{kind}.png" for panel in "ab" for kind in AFFINITY_PICTURES),
)  # fmt: skip
LOCALIZED = (".heatmap.png", ".mask.png", ".overlay.png")  # endings of what localize.json lists


def prepare_folder(out: Path, overwrite: bool, marker: str = "findings.json") -> None:
    """Make ``out`` an empty place to write to; an earlier result goes only with ``overwrite``.

    Args:
        out: The folder; made if it is not there.
        overwrite: Remove what an earlier run of this program wrote, and nothing else.
        marker: File by which an earlier result is recognised.

    Raises:
        OutputError: The folder holds something else, or cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"--out {out}: this is a file; name a folder")
    try:
        if out.is_dir() and any(out.iterdir()):
            if not overwrite:
                raise OutputError(
                    f"--out {out}: the folder is not empty; add --overwrite to replace an earlier "
                    "result, or name another folder"
                )
            _remove_earlier(out, marker)
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be written to: {error.strerror}") from error


def _remove_earlier(out: Path, marker: str) -> None:
    """Remove an earlier result; refuse where the folder does not look like one."""
    try:
        data = json.loads((out / marker).read_text(encoding="utf-8"))
        known = str(data.get("format", "")).startswith("tamperscope-")
    except (OSError, ValueError, AttributeError):
        known = False
    if not known:
        raise OutputError(
            f"--out {out}: --overwrite replaces results of this program only, and {marker} here is "
            "not one; name another folder"
        )
    for name in (*OURS, *_listed(data)):
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _listed(record: dict[str, Any]) -> list[str]:
    """Name the pictures a localize.json lists; nothing but plain names in that very folder."""
    images = record.get("images")
    names = [
        name
        for image in (images if isinstance(images, list) else [])
        if isinstance(image, dict) and isinstance(image.get("files"), dict)
        for name in image["files"].values()
    ]
    return [
        name
        for name in names
        if isinstance(name, str) and name.endswith(LOCALIZED) and not set(name) & set("/\\:")
    ]


def progress_line() -> Callable[[str, int, int | None], None]:
    """Return a function that keeps one line on stderr up to date; plain lines if no terminal.

    Called with the stage, how much is done, and of how much (None: not known).
    """
    terminal = sys.stderr.isatty()
    began: dict[str, float] = {}
    last = 0.0

    def show(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        new = stage not in began
        began.setdefault(stage, now)
        ended = done == total
        if not (new or ended or now - last > (0.1 if terminal else 10)):
            return
        last = now
        text = f"{stage}: {done}" if total is None else f"{stage}: {done} of {total}"
        spent = now - began[stage]
        if total and 0 < done < total and spent > 2:
            text += f", about {spent / done * (total - done):.0f} s left"
        if terminal:
            click.echo(f"\r\033[K{text}", nl=ended, err=True)
        elif not new or ended or total is None:
            click.echo(text, err=True)

    return show


def one_line(text: str) -> str:
    """Text of a file's own making, safe to print: no line breaks, no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
