"""What every part of the page needs at hand: the screening, and its pictures inside the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from tamperscope.errors import OutputError
from tamperscope.records import Figure, Finding, Screening
from tamperscope.report.album import Album
from tamperscope.report.evidence import preview_path

SIDES = ((24, 720), (60, 480), (200, 320))  # up to so many findings, pictures of so many pixels
SMALLEST_SIDE = 240
FIGURE_SIDES = ((16, 1600), (40, 1100), (120, 720))  # the same for whole figures
SMALLEST_FIGURE_SIDE = 400
FIGURE_SHARE = 0.6  # of the budget, so that many figures leave room for the evidence


@dataclass(frozen=True)
class Workshop:
    """A screening together with the pictures that the page can hold."""

    screening: Screening
    album: Album
    figures: dict[str, str]  # figure id -> data address, for figures put into the page
    side: int  # pixels of the longer side of evidence pictures in the page

    def has(self, figure: Figure) -> bool:
        """Whether the figure is in the page."""
        return figure.id in self.figures


def set_up(screening: Screening, album: Album) -> Workshop:
    """Put figures into the page, those with findings first, up to their share of the budget."""
    wanted = {region.figure for finding in screening.findings for region in finding.regions}
    ordered = sorted(screening.figures, key=lambda figure: figure.id not in wanted)
    side = _side(FIGURE_SIDES, SMALLEST_FIGURE_SIDE, ordered)
    floor = album.budget * (1 - FIGURE_SHARE)
    figures: dict[str, str] = {}
    for figure in ordered:
        if album.budget <= floor:
            break
        address = album.picture(preview_path(figure), side)
        if address is not None:
            figures[figure.id] = address
    return Workshop(screening, album, figures, _side(SIDES, SMALLEST_SIDE, screening.findings))


def picture_of(finding: Finding, role: str) -> str:
    """Path of one evidence picture; OutputError where findings.json names none."""
    for known, path in finding.evidence.pictures:
        if known == role:
            return path
    raise OutputError(f"findings.json names no {role!r} picture of {finding.id}; screen again")


def _side(steps: tuple[tuple[int, int], ...], smallest: int, things: Sequence[object]) -> int:
    return next((side for most, side in steps if len(things) <= most), smallest)
