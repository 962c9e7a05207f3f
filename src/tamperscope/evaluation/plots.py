"""Draws how a score falls under each change, as one SVG without anything outside it.

A panel per change, a line per method with its 95 % band, the unchanged score as a dotted line.
Colours are Okabe and Ito's, told apart by colour-blind readers, and every line has its own marker.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tamperscope.errors import TamperscopeError
from tamperscope.evaluation.robustness import UNCHANGED

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
WIDTH, HEIGHT = 260, 190  # of a panel, with its margins
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 26, 38
ACROSS = 3  # panels in a row
TOPS = (0.1, 0.2, 0.4, 1.0)
"""Upper ends that the axis of scores may have; one for all panels of a drawing."""


class PlotError(TamperscopeError):
    """There is nothing to draw."""


@dataclass(frozen=True)
class Line:
    """One method under one change."""

    method: str
    levels: tuple[float, ...]
    values: tuple[float | None, ...]
    intervals: tuple[Sequence[float] | None, ...]
    unchanged: float | None


def lines_of(results: Sequence[dict[str, Any]], score: str) -> dict[tuple[str, str], list[Line]]:
    """Collect the lines of every change: {(family, axis): one line per result}."""
    found: dict[tuple[str, str], list[Line]] = {}
    for result in results:
        families: dict[tuple[str, str], list[dict[str, Any]]] = {}
        unchanged = None
        for point in result["points"]:
            if score not in point["scores"]:
                names = ", ".join(point["scores"])
                raise PlotError(f"no score is called {score!r} here; there are {names}")
            if point["family"] == UNCHANGED:
                unchanged = point["scores"][score]["value"]
            else:
                families.setdefault((point["family"], point["axis"]), []).append(point)
        for family, points in families.items():
            scores = [point["scores"][score] for point in points]
            line = Line(
                result["method"]["name"],
                tuple(point["level"] for point in points),
                tuple(s["value"] for s in scores),
                tuple(s["interval"] for s in scores),
                unchanged,
            )
            found.setdefault(family, []).append(line)
    return found


def curves_svg(results: Sequence[dict[str, Any]], score: str | None = None) -> str:
    """Draw robustness results of one or several methods.

    Args:
        results: Of the format ``tamperscope-robustness/1``.
        score: Name of the score; the first one that the results have if None.

    Raises:
        PlotError: There is no such score, or nothing but the unchanged run.
    """
    if score is None:
        score = next(iter(results[0]["points"][0]["scores"]))
    panels = lines_of(results, score)
    if not panels:
        raise PlotError("there is no change to draw, only the unchanged pictures")
    scale = scale_of([line for lines in panels.values() for line in lines])
    rows = -(-len(panels) // ACROSS)
    methods = list(dict.fromkeys(line.method for lines in panels.values() for line in lines))
    width, height = ACROSS * WIDTH, rows * HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10" role="img">',
        f"<title>{html.escape(score)} under changes of the pictures</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for i, ((family, axis), lines) in enumerate(panels.items()):
        place = f"translate({i % ACROSS * WIDTH},{i // ACROSS * HEIGHT})"
        parts.append(
            f'<g transform="{place}">{_panel(family, axis, score, lines, methods, scale)}</g>'
        )
    for i, method in enumerate(methods):
        x, y = LEFT + i * 180, rows * HEIGHT + 12
        parts.append(_marker(i, x, y - 3))
        parts.append(f'<text x="{x + 9}" y="{y}">{html.escape(method)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def scale_of(lines: Sequence[Line]) -> tuple[float, float]:
    """Ends of the axis of scores: from 0, or as far below as above where a score is negative."""
    drawn = [
        value for line in lines for value in (*line.values, line.unchanged) if value is not None
    ]
    drawn += [end for line in lines for interval in line.intervals if interval for end in interval]
    largest = max(map(abs, drawn), default=1.0)
    top = next(top for top in TOPS if top >= min(largest, 1.0))
    return (-top if min(drawn, default=0.0) < 0 else 0.0), top


def _panel(
    family: str,
    axis: str,
    score: str,
    lines: Sequence[Line],
    methods: Sequence[str],
    scale: tuple[float, float],
) -> str:
    levels = list(dict.fromkeys(level for line in lines for level in line.levels))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(level: float) -> float:
        step = (right - LEFT) / max(len(levels) - 1, 1)
        return LEFT + levels.index(level) * step if len(levels) > 1 else (LEFT + right) / 2

    def y(value: float) -> float:
        low, high = scale
        return bottom - (value - low) / (high - low) * (bottom - TOP)

    parts = [f'<text x="{LEFT}" y="14" font-weight="bold">{html.escape(family)}</text>']
    low, high = scale
    for tick in (low + i * (high - low) / 4 for i in range(5)):
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 5}" y="{y(tick) + 3:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for level in levels:
        parts.append(
            f'<text x="{x(level):.1f}" y="{bottom + 13}" text-anchor="middle">{level:g}</text>'
        )
    middle = (LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 27}" text-anchor="middle">{html.escape(axis)}</text>'
    )
    turn = f"rotate(-90 11 {(TOP + bottom) / 2})"
    parts.append(
        f'<text x="11" y="{(TOP + bottom) / 2}" text-anchor="middle" transform="{turn}">'
        f"{html.escape(score)}</text>"
    )
    for line in lines:
        parts.append(_line(line, methods.index(line.method), x, y, right))
    return "".join(parts)


def _line(line: Line, number: int, x: Any, y: Any, right: int) -> str:
    colour = COLOURS[number % len(COLOURS)]
    parts = []
    if line.unchanged is not None:
        parts.append(
            f'<path d="M{LEFT} {y(line.unchanged):.1f}H{right}" stroke="{colour}" '
            'stroke-dasharray="2 3"/>'
        )
    for level, interval in zip(line.levels, line.intervals, strict=True):
        if interval is not None:
            low, high = interval
            parts.append(
                f'<path d="M{x(level):.1f} {y(low):.1f}V{y(high):.1f}" stroke="{colour}" '
                'stroke-opacity="0.45" stroke-width="3"/>'
            )
    there = [
        (x(level), y(value))
        for level, value in zip(line.levels, line.values, strict=True)
        if value is not None
    ]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in there)
    if path:
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    parts += [_marker(number, a, b) for a, b in there]
    return "".join(parts)


def _marker(number: int, x: float, y: float) -> str:
    colour = COLOURS[number % len(COLOURS)]
    shapes = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"',
        f'<path d="M{x - 3:.1f} {y - 3:.1f}h6v6h-6z"',
        f'<path d="M{x:.1f} {y - 4:.1f}l4 7h-8z"',
        f'<path d="M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4z"',
    )
    return f'{shapes[number % len(shapes)]} fill="{colour}"/>'
