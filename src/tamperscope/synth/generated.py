"""Lays a patch that a generator made into a panel, where a person would paste one."""

from tamperscope.synth.blending import blend
from tamperscope.synth.geometry import box_of, grown
from tamperscope.synth.sample import Forgery, UnfitError, checked_pixels
from tamperscope.synth.shapes import draw_region
from tamperscope.synth.work import Work


def generated_patch(work: Work) -> Forgery:
    """Replace a region by what one of the generators makes for the panel's modality.

    Raises:
        UnfitError: No generator makes patches of this modality.
        ValueError: A generator gave something else than what it was asked for.
    """
    able = [g for g in work.generators if work.modality in g.modalities]
    if not able:
        raise UnfitError(f"no generator makes {work.modality} patches")
    generator = able[int(work.rng.integers(len(able)))]
    panel = work.panel()
    region, shape = draw_region(panel.pixels, work.settings.shapes, work.rng)
    box = grown(box_of(region), region.shape)
    patch = checked_pixels(generator.generate(work.rng, (box.height, box.width), work.modality))
    if patch.shape[:2] != (box.height, box.width):
        raise ValueError(
            f"{generator.name} was asked for {box.height} x {box.width}, gave {patch.shape}"
        )
    way = work.settings.blending.draw(work.rng)
    canvas = blend(panel.pixels, patch, region[box.slices], box, way)
    told = {"shape": shape, "generator": generator.name, "blending": list(way)}
    return Forgery(
        "generated", (canvas,), (panel.pixels,), (region,), (), (panel.name,), (panel.group,), told
    )
