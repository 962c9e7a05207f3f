"""Panels and pairs of panels whose duplication is known, cut from pristine pictures.

A *case* names what is asked for; its name and the seed decide every random number, so that a case
is the same whatever else is run, in whatever order. A *sample* is the case made into pixels, with
the true transform and masks.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tamperscope.evaluation import placing, transforms
from tamperscope.evaluation.placing import Mask, Matrix, Pixels, Window
from tamperscope.evaluation.sources import Source
from tamperscope.evaluation.transforms import Alteration
from tamperscope.images import read_pixels
from tamperscope.matching.plots import without_axes

GROUPS = ("pair", "within", "unrelated", "same-origin", "panel")
"""Positive: ``pair`` (between two panels), ``within`` (copy-move). Pristine: ``unrelated`` pairs of
different origin, ``same-origin`` pairs, single ``panel``s."""
MODES = ("whole", "crop", "overlap", "paste")
Annotate = Callable[[Pixels], Mask]
"""Marks letters, arrows and scale bars of a panel, (height, width)."""
LEAST_PANEL = 48  # pixels, shorter side of a target panel and of what two panels share
LEAST_REGION = 40  # pixels, shorter side of a copied region before and after its transform
LARGEST_SIDE = 1024  # pixels; an enlarged panel is cut to it
PLACEMENTS = 40  # draws of region and place before a picture is given up
PICTURES = 25  # pictures tried before a case is given up


@dataclass(frozen=True)
class Case:
    """What one sample shall show."""

    group: str  # one of GROUPS
    kind: str  # modality
    number: int
    alteration: str | None = None  # one of transforms.CLASSES; None for pristine ones
    mode: str | None = None  # one of MODES for pairs, "copy-move" within a panel
    source: str | None = None  # name of the picture, where the case is about a certain one

    @property
    def key(self) -> str:
        """Unique name, stable over runs of other sizes."""
        parts = (self.group, self.kind, self.alteration, self.mode, self.source, str(self.number))
        return "/".join(part for part in parts if part)

    def generator(self, seed: int) -> np.random.Generator:
        """Random numbers of this case alone."""
        return np.random.default_rng([seed, zlib.crc32(self.key.encode())])


@dataclass(frozen=True, eq=False)
class Truth:
    """Where the duplication is: ``transform`` maps source points to target points."""

    transform: Matrix  # (3, 3)
    source_mask: Mask
    target_mask: Mask  # of the second panel, or of the same one


@dataclass(frozen=True, eq=False)
class Sample:
    """One panel, or two, with what is known about them."""

    case: Case
    first: Pixels
    second: Pixels | None
    truth: Truth | None  # None for pristine ones
    sources: tuple[str, ...]  # names of the pictures
    origin: str  # of the first


def plan(sources: list[Source], per_class: int, pristine: int, panels: int | None) -> list[Case]:
    """List the cases: ``per_class`` of every alteration, between panels and within one.

    Modalities take turns, then modes, so that 20 per class show every modality in every mode;
    classes begin with different modes, so that fewer still show all of them.

    Args:
        sources: Pictures that can serve; only their modalities and names matter here.
        per_class: Positive cases of each alteration, for each of ``pair`` and ``within``.
        pristine: Unrelated pairs, and as many of the same origin, over all modalities.
        panels: Pristine single panels; None for every picture once.
    """
    kinds = sorted({source.kind for source in sources})
    cases = []
    for place, name in enumerate(transforms.CLASSES):
        for i in range(per_class):
            kind, turn = kinds[i % len(kinds)], i // len(kinds)
            mode = MODES[(turn + place) % len(MODES)]
            cases.append(Case("pair", kind, turn, name, mode))
            cases.append(Case("within", kind, turn, name, "copy-move"))
    for group in ("unrelated", "same-origin"):
        for i in range(pristine):
            cases.append(Case(group, kinds[i % len(kinds)], i // len(kinds)))
    chosen = sources if panels is None else _in_turn(sources, panels)
    cases += [Case("panel", source.kind, 0, source=source.name) for source in chosen]
    return cases


def _in_turn(sources: list[Source], limit: int) -> list[Source]:
    """Take up to ``limit`` pictures, modality by modality, spread evenly over each."""
    kinds = sorted({source.kind for source in sources})
    chosen: list[Source] = []
    for i, kind in enumerate(kinds):
        own = [source for source in sources if source.kind == kind]
        share = min(len(own), limit // len(kinds) + (i < limit % len(kinds)))
        chosen += [own[j * len(own) // share] for j in range(share)]
    return chosen


class UnfitError(Exception):
    """This picture cannot show what the case asks for; another one may."""


def make_sample(
    case: Case, sources: list[Source], seed: int, annotate: Annotate | None = None
) -> Sample | str:
    """Make the sample of a case, or say why none of the pictures tried could show it.

    Args:
        case: What to show.
        sources: Pictures to draw from.
        seed: Decides every draw, together with the case.
        annotate: Marks letters and arrows: a copied region holds other content than these.
    """
    rng = case.generator(seed)
    own = [source for source in sources if source.kind == case.kind]
    if case.group == "panel":
        source = next(source for source in own if source.name == case.source)
        return Sample(case, read_pixels(source.path), None, None, (source.name,), source.origin)
    build = _pristine_pair if case.alteration is None else _positive
    why = f"no {case.kind} pictures"
    for place in rng.permutation(len(own))[:PICTURES]:
        try:
            return build(case, own[place], own, annotate, rng)
        except UnfitError as error:
            why = str(error)
    return f"none of {min(len(own), PICTURES)} pictures could show it; the last: {why}"


def _pristine_pair(
    case: Case,
    first: Source,
    own: list[Source],
    annotate: Annotate | None,
    rng: np.random.Generator,
) -> Sample:
    second = _partner(first, own, rng, same_origin=case.group == "same-origin")
    pixels = read_pixels(first.path), read_pixels(second.path)
    return Sample(case, *pixels, None, (first.name, second.name), first.origin)


def _partner(
    first: Source, own: list[Source], rng: np.random.Generator, *, same_origin: bool
) -> Source:
    others = [
        source
        for source in own
        if source.name != first.name and (source.origin == first.origin) == same_origin
    ]
    if not others:
        raise UnfitError(
            f"{first.name} has no partner of {'the same' if same_origin else 'another'} origin"
        )
    return others[int(rng.integers(len(others)))]


def _positive(
    case: Case,
    source: Source,
    own: list[Source],
    annotate: Annotate | None,
    rng: np.random.Generator,
) -> Sample:
    assert case.alteration is not None
    alteration = transforms.draw(case.alteration, rng)
    pixels = read_pixels(source.path)
    names: tuple[str, ...] = (source.name,)
    if case.mode in ("copy-move", "paste"):
        drawn = _set_aside(pixels, source.kind, annotate)
    if case.mode == "copy-move":
        second, truth = copy_region(pixels, None, drawn, alteration, rng)
        return Sample(case, second, None, truth, names, source.origin)
    if case.mode == "paste":
        host = _partner(source, own, rng, same_origin=False)
        canvas = read_pixels(host.path)
        second, truth = copy_region(pixels, canvas, drawn, alteration, rng)
        names += (host.name,)
        return Sample(case, pixels, second, truth, names, source.origin)
    build = {"whole": _whole, "crop": _crop, "overlap": _overlap}[str(case.mode)]
    first, second, truth = build(pixels, alteration, rng)
    return Sample(case, first, second, truth, names, source.origin)


Pair = tuple[Pixels, Pixels, Truth]
Build = Callable[[Pixels, Alteration, np.random.Generator], Pair]


def _whole(pixels: Pixels, alteration: Alteration, rng: np.random.Generator) -> Pair:
    return _reuse(pixels, alteration, rng, 1.0, 1.0)


def _crop(pixels: Pixels, alteration: Alteration, rng: np.random.Generator) -> Pair:
    return _reuse(pixels, alteration, rng, 0.5, 0.8)


def _reuse(
    pixels: Pixels, alteration: Alteration, rng: np.random.Generator, low: float, high: float
) -> Pair:
    """Show the altered picture in a window of shares ``low``..``high`` of its sides."""
    transform, width, height = _canvas(pixels, alteration)
    window = placing.draw_window(height, width, low, high, LEAST_PANEL, rng)
    if window is None:
        raise UnfitError(f"too small after {alteration.name}: {width} x {height}")
    window = _cut(window, rng)
    transform = placing.shift(-window.x, -window.y) @ transform
    return _finish(pixels, pixels, transform, transform, window, alteration, rng)


def _overlap(pixels: Pixels, alteration: Alteration, rng: np.random.Generator) -> Pair:
    """Cut two windows that share a part, and alter the second."""
    height, width = pixels.shape[:2]
    axis = int(rng.integers(3))  # shifted sideways, up and down, or both
    share = float(rng.uniform(0.75, 0.85) if axis == 2 else rng.uniform(0.65, 0.8))
    w = width if axis == 1 else int(width * share)
    h = height if axis == 0 else int(height * share)
    far = Window(width - w, height - h, w, h)
    near = Window(0, 0, w, h)
    if axis == 2 and rng.random() < 0.5:
        near, far = Window(width - w, 0, w, h), Window(0, height - h, w, h)
    first, uncut = (np.ascontiguousarray(pixels[window.slices]) for window in (near, far))
    onto, wide, tall = _canvas(uncut, alteration)
    window = placing.draw_window(tall, wide, 1.0, 1.0, LEAST_PANEL, rng)
    if window is None:
        raise UnfitError(f"too small after {alteration.name}: {wide} x {tall}")
    window = _cut(window, rng)
    onto = placing.shift(-window.x, -window.y) @ onto
    transform = onto @ placing.shift(near.x - far.x, near.y - far.y)
    return _finish(first, uncut, transform, onto, window, alteration, rng)


def _canvas(pixels: Pixels, alteration: Alteration) -> tuple[Matrix, int, int]:
    """Map a picture to the largest panel that shows nothing but it: (transform, width, height)."""
    width, height, x, y = placing.inner_window(alteration.matrix, *pixels.shape[:2])
    centre = ((width - 1) / 2, (height - 1) / 2)
    return transforms.around(alteration.matrix, (x, y), centre), width, height


def _cut(window: Window, rng: np.random.Generator) -> Window:
    """Cut a window to LARGEST_SIDE, anywhere."""
    width, height = min(window.width, LARGEST_SIDE), min(window.height, LARGEST_SIDE)
    x = window.x + int(rng.integers(window.width - width + 1))
    y = window.y + int(rng.integers(window.height - height + 1))
    return Window(x, y, width, height)


def _finish(
    first: Pixels,
    drawn: Pixels,
    transform: Matrix,
    onto: Matrix,
    window: Window,
    alteration: Alteration,
    rng: np.random.Generator,
) -> Pair:
    """Draw ``drawn`` by ``onto``, change its tone, and say what ``first`` shares with it."""
    height, width = window.height, window.width
    second = transforms.warp(drawn, onto, height, width)
    second = transforms.store_as_jpeg(
        transforms.apply_tone(second, alteration, rng), alteration.jpeg
    )
    rows, columns = first.shape[:2]
    target = placing.warp_mask(np.ones((rows, columns), dtype=bool), transform, height, width)
    back = np.asarray(np.linalg.inv(transform), dtype=np.float64)
    source = placing.warp_mask(np.ones((height, width), dtype=bool), back, rows, columns)
    for name, mask in (("source", source), ("target", target)):
        if not mask.any() or min(_sides(mask)) < LEAST_PANEL:
            raise UnfitError(f"the shared part is too small in the {name}")
    if not placing.holds_content(first, source):
        raise UnfitError("the shared part is background")
    return first, second, Truth(transform, source, target)


def _sides(mask: Mask) -> tuple[int, int]:
    """Height and width of the box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def copy_region(
    pixels: Pixels,
    host: Pixels | None,
    drawn: Mask | None,
    alteration: Alteration,
    rng: np.random.Generator,
) -> tuple[Pixels, Truth]:
    """Paste an altered region into another panel, or into its own where ``host`` is None.

    The sides of the region are shares of the panel's: 0.2-0.45 inside one panel, 0.35-0.7 between
    two. In half of the draws its rim is feathered over about a pixel. What it holds is not only
    letters and axes: they are alike on every panel, and matching sets them aside.

    Args:
        pixels: The panel to copy from.
        host: The panel to paste into.
        drawn: Letters, arrows and axes of ``pixels``.
        alteration: What is done to the region.
        rng: Draws region and place.

    Raises:
        UnfitError: No region with content was found that fits, in PLACEMENTS draws.
    """
    canvas = pixels if host is None else host
    share = (0.2, 0.45) if host is None else (0.35, 0.7)
    height, width = pixels.shape[:2]
    for _ in range(PLACEMENTS):
        window = placing.draw_window(height, width, *share, LEAST_REGION, rng)
        if window is None:
            raise UnfitError("too small for a region")
        source = placing.draw_shape(window, height, width, rng)
        transform = _landing(window, alteration.matrix, canvas.shape[0], canvas.shape[1], rng)
        if transform is None or not placing.holds_content(pixels, source, drawn):
            continue
        target = placing.warp_mask(source, transform, *canvas.shape[:2])
        if host is None and (source & target).any():
            continue
        pasted = _paste(pixels, canvas, transform, target, alteration, rng)
        return transforms.store_as_jpeg(pasted, alteration.jpeg), Truth(transform, source, target)
    raise UnfitError(f"no region with content and a place for it in {PLACEMENTS} draws")


def _set_aside(pixels: Pixels, kind: str, annotate: Annotate | None) -> Mask | None:
    """What was drawn on a panel: letters and arrows, and the axes of plots."""
    drawn = None if annotate is None else annotate(pixels)
    if kind != "facs":
        return drawn
    gray = pixels.mean(axis=2, dtype=np.float32) / np.float32(255)
    return without_axes(gray, np.zeros(gray.shape, np.bool_) if drawn is None else drawn)


def _landing(
    window: Window, linear: Matrix, height: int, width: int, rng: np.random.Generator
) -> Matrix | None:
    """Draw a place on the canvas for the mapped window; None where it does not fit."""
    transform = np.eye(3)
    transform[:2, :2] = linear
    box = placing.bounds(placing.map_points(transform, window.corners))
    if min(box.width, box.height) < LEAST_REGION or box.width > width or box.height > height:
        return None
    x, y = int(rng.integers(width - box.width + 1)), int(rng.integers(height - box.height + 1))
    return placing.shift(x - box.x, y - box.y) @ transform


def _paste(
    pixels: Pixels,
    canvas: Pixels,
    transform: Matrix,
    target: Mask,
    alteration: Alteration,
    rng: np.random.Generator,
) -> Pixels:
    rows, columns = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    box = Window(
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )
    local = placing.shift(-box.x, -box.y) @ transform
    patch = transforms.warp(pixels, local, box.height, box.width)
    patch = transforms.apply_tone(patch, alteration, rng)
    weight = target[box.slices].astype(np.float32)
    if rng.random() < 0.5:
        weight *= cv2.GaussianBlur(weight, (0, 0), 0.7, borderType=cv2.BORDER_CONSTANT)
    weight = weight[..., None]
    pasted = canvas.copy()
    mixed = weight * patch + (1 - weight) * canvas[box.slices]
    pasted[box.slices] = np.round(mixed).astype(np.uint8)
    return pasted
