"""panels.json: the panels as split, in a file that the user may correct and hand back.

    {"format": "tamperscope-panels/1",
     "figures": [{"id": "f001", "document": "paper.pdf", "page": 3, "width": 800, "height": 600,
                  "sha256": "...", "panels": [{"id": "f001p01", "box": [0, 0, 400, 300],
                                               "kind": "blot", "probability": 0.97,
                                               "label": null}]}]}

Boxes may be moved, kinds and labels changed, panels added or removed (``"panels": []`` leaves a
figure out of the screening). A new panel needs only a box and a kind. Figures are found again by
the digest of their stored bytes, or by id where there is none; their size must agree either way.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tamperscope.errors import OutputError, PanelsFileError
from tamperscope.records import PANEL_KINDS, Box, Figure, Panel, panel_dict

FORMAT = "tamperscope-panels/1"

PANEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # names evidence files, so no paths


def write_panels(path: Path, figures: Sequence[Figure]) -> None:
    """Write the panels of ``figures`` as JSON that :func:`read_panels` takes back.

    Raises:
        OutputError: The file cannot be written.
    """
    data = {"format": FORMAT, "figures": [_figure_entry(figure) for figure in figures]}
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot write the panels file: {error.strerror}") from error


def read_panels(path: Path, figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """Return ``figures`` with the panels that the file gives them; others keep their own.

    Raises:
        PanelsFileError: The file cannot be read, is no panels file, speaks of a figure that is not
            among ``figures``, or holds a panel that does not fit; the message names the entry.
    """
    entries = _entries(path)
    given: dict[int, tuple[Panel, ...]] = {}
    for number, entry in enumerate(entries):
        where = f"{path}: figures[{number}]"
        if not isinstance(entry, Mapping):
            raise PanelsFileError(f"{where} must be an object with id, width, height and panels")
        index = _match(entry, figures, where)
        if index in given:
            raise PanelsFileError(
                f"{where}: figure {figures[index].id} is listed twice; keep one of the entries"
            )
        given[index] = _panels(entry, figures[index], where)
    merged = tuple(
        replace(figure, panels=given.get(index, figure.panels))
        for index, figure in enumerate(figures)
    )
    seen = Counter(panel.id for figure in merged for panel in figure.panels)
    for id, count in seen.items():
        if count > 1:
            raise PanelsFileError(
                f"{path}: {count} panels are called {id!r}; give each panel an id of its own, "
                "or leave the id out"
            )
    return merged


def _figure_entry(figure: Figure) -> dict[str, Any]:
    return {
        "id": figure.id,
        "document": figure.document,
        "page": figure.page,
        "width": figure.width,
        "height": figure.height,
        "sha256": figure.sha256,
        "panels": [panel_dict(panel) for panel in figure.panels],
    }


def _entries(path: Path) -> list[Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PanelsFileError(f"{path}: cannot read the panels file: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise PanelsFileError(
            f"{path} is not JSON ({error}); start again from the panels.json that screen wrote"
        ) from error
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise PanelsFileError(
            f'{path}: expected "format": "{FORMAT}", got {found!r}; '
            "give the panels.json that screen wrote, edited"
        )
    if not isinstance(data.get("figures"), list):
        raise PanelsFileError(f'{path}: "figures" must be a list')
    return data["figures"]


def _match(entry: Mapping[str, Any], figures: Sequence[Figure], where: str) -> int:
    """Index of the figure an entry speaks of: same digest (and id, where several share it)."""
    id, digest = entry.get("id"), entry.get("sha256")
    same_id = [i for i, figure in enumerate(figures) if figure.id == id]
    same_bytes = [i for i, f in enumerate(figures) if digest and f.sha256 == digest]
    if digest:
        candidates = [i for i in same_id if i in same_bytes] or same_bytes
        candidates = candidates or [i for i in same_id if figures[i].sha256 is None]
    else:
        candidates = same_id
    if not candidates:
        raise PanelsFileError(
            f"{where}: no figure of this input is {id!r} with these pixels; "
            "was the file written for other documents? Screen them again, or remove the entry"
        )
    figure = figures[candidates[0]]
    size = (entry.get("width"), entry.get("height"))
    if size != (figure.width, figure.height):
        raise PanelsFileError(
            f"{where}: figure {figure.id} is {figure.width} x {figure.height} pixels, the entry "
            f"says {size[0]} x {size[1]}; boxes would not fit. Screen the documents again"
        )
    return candidates[0]


def _panels(entry: Mapping[str, Any], figure: Figure, where: str) -> tuple[Panel, ...]:
    listed = entry.get("panels")
    if not isinstance(listed, list):
        raise PanelsFileError(f'{where}: "panels" must be a list; [] leaves the figure out')
    taken = {item.get("id") for item in listed if isinstance(item, Mapping)}
    panels = []
    for number, item in enumerate(listed):
        place = f"{where}.panels[{number}]"
        if not isinstance(item, Mapping):
            raise PanelsFileError(f"{place} must be an object with box and kind")
        panels.append(_panel(item, figure, taken, place))
    return tuple(panels)


def _panel(item: Mapping[str, Any], figure: Figure, taken: set[Any], place: str) -> Panel:
    id = item.get("id")
    if id is None:
        id = next(
            name
            for name in (f"{figure.id}p{n:02d}" for n in range(1, len(taken) + 3))
            if name not in taken
        )
        taken.add(id)
    if not isinstance(id, str) or not PANEL_ID.fullmatch(id):
        raise PanelsFileError(
            f"{place}: id must be letters, digits, - and _ such as {figure.id}p01, got {id!r}"
        )
    kind = item.get("kind")
    if kind not in PANEL_KINDS:
        raise PanelsFileError(
            f"{place}: kind must be one of {', '.join(PANEL_KINDS)}; got {kind!r}"
        )
    probability = item.get("probability", 1.0)
    if isinstance(probability, bool) or not isinstance(probability, int | float):
        raise PanelsFileError(f"{place}: probability must be a number in [0, 1], or left out")
    if not 0 <= probability <= 1:
        raise PanelsFileError(f"{place}: probability must lie in [0, 1], got {probability}")
    label = item.get("label")
    if label is not None and not isinstance(label, str):
        raise PanelsFileError(f"{place}: label must be text or null, got {label!r}")
    return Panel(id, _box(item.get("box"), figure, place), kind, float(probability), label)


def _box(values: Any, figure: Figure, place: str) -> Box:
    whole = isinstance(values, list) and all(type(v) is int for v in values)
    if not whole or len(values) != 4:
        raise PanelsFileError(
            f"{place}: box must be [x0, y0, x1, y1] in whole pixels of the figure, got {values!r}"
        )
    x0, y0, x1, y1 = values
    if not (0 <= x0 < x1 <= figure.width and 0 <= y0 < y1 <= figure.height):
        raise PanelsFileError(
            f"{place}: box {values} must satisfy 0 <= x0 < x1 <= {figure.width} and "
            f"0 <= y0 < y1 <= {figure.height}"
        )
    return Box(x0, y0, x1, y1)
