"""What things are called in the report: kinds, detectors, figures, panels, places."""

import re

from tamperscope.records import Figure, Panel

KIND_TITLES = {
    "copy-move": "Repeated inside one panel",
    "duplicate": "Shown in two panels",
    "seam": "Abrupt transition",
    "erased": "Unnaturally flat area",
    "splice": "Unlike its surroundings",
}

KIND_PLURALS = {
    "copy-move": ("place repeated inside one panel", "places repeated inside one panel"),
    "duplicate": ("pair of panels that share content", "pairs of panels that share content"),
    "seam": ("abrupt transition in a blot or gel", "abrupt transitions in blots or gels"),
    "erased": ("unnaturally flat area", "unnaturally flat areas"),
    "splice": ("region unlike its surroundings", "regions unlike their surroundings"),
}

PANEL_TITLES = {
    "blot": ("blot or gel", "blots or gels"),
    "microscopy": ("micrograph", "micrographs"),
    "facs": ("flow cytometry plot", "flow cytometry plots"),
    "macroscopy": ("macroscopic photograph", "macroscopic photographs"),
    "photo": ("photograph", "photographs"),
    "chart": ("chart or diagram", "charts or diagrams"),
}

DETECTOR_TITLES = {
    "keypoints": "key points",
    "dense-field-zm": "dense field (Zernike moments)",
    "dense-field-pct": "dense field (polar cosine transform)",
    "dense-field-fmt": "dense field (Fourier-Mellin transform)",
    "seams": "background transitions",
    "erased": "flat areas",
    "pasted": "sharp sides of a box",
    "biotampernet": "network (BioTamperNet)",
    "forma": "network (ForMa)",
    "loma": "network (LoMa)",
}

ROLES = {"source": "source", "target": "target", "place": ""}


ORIGIN_TITLES = {
    "embedded": "as stored in the document",
    "rendered": "rendered from the page",
    "media": "as stored in the document",
    "image": "an image file",
}


def count(number: int, one: str, many: str) -> str:
    """Number and noun: ``1 panel``, ``1,200 panels``."""
    return f"{number:,} {one if number == 1 else many}"


def figure_title(figure: Figure) -> str:
    """``figure 3`` for ``f003``; the id itself where it is no number."""
    number = re.fullmatch(r"f0*(\d+)", figure.id)
    return f"figure {number[1]}" if number else f"figure {figure.id}"


def panel_title(figure: Figure, panel: Panel) -> str:
    """``panel 2 of figure 3``; ``figure 3`` where it has one panel only."""
    if len(figure.panels) == 1:
        return figure_title(figure)
    number = [one.id for one in figure.panels].index(panel.id) + 1
    return f"panel {panel.label or number} of {figure_title(figure)}"


def page_title(figure: Figure) -> str:
    """``, page 3``; nothing where there are no pages."""
    return "" if figure.page is None else f", page {figure.page}"


def sentence(text: str) -> str:
    """``text`` with its first letter large."""
    return text[:1].upper() + text[1:]
