"""Changes a region in place: lightened, darkened, sharpened, blurred, smoothed."""

import numpy as np

from tamperscope.synth.blending import mix, soft_edge
from tamperscope.synth.geometry import blurred, box_of
from tamperscope.synth.sample import Forgery, Pixels, UnfitError
from tamperscope.synth.shapes import draw_region
from tamperscope.synth.tone import apply_tone
from tamperscope.synth.work import Work

CHANGES = ("lighten", "darken", "contrast", "blur", "sharpen", "noise", "flatten")
LEAST_CHANGE = 2.0  # mean change in grey levels; less is nothing that anybody could see


def retouch(work: Work) -> Forgery:
    """Change the tone or the sharpness of one region of a panel."""
    panel = work.panel()
    region, shape = draw_region(panel.pixels, work.settings.shapes, work.rng)
    change = CHANGES[int(work.rng.integers(len(CHANGES)))]
    box = box_of(region)
    under, inside = panel.pixels[box.slices], region[box.slices]
    made, amount = _changed(change, under, work.rng)
    width = float(round(work.rng.uniform(0.6, 3.0), 2)) if work.rng.random() < 0.6 else 0.0
    opacity = soft_edge(inside, width) if width else inside.astype(np.uint8) * 255
    canvas = panel.pixels.copy()
    canvas[box.slices] = mix(under, made, opacity)
    apart = np.abs(canvas[region].astype(np.int16) - panel.pixels[region])
    if int(apart.sum(dtype=np.int64)) < LEAST_CHANGE * apart.size:
        raise UnfitError(f"to {change} here changes nothing")
    told = {"shape": shape, "change": change, "amount": amount, "edge": width}
    return Forgery(
        "retouch", (canvas,), (panel.pixels,), (region,), (), (panel.name,), (panel.group,), told
    )


def _changed(change: str, under: Pixels, rng: np.random.Generator) -> tuple[Pixels, float]:
    spans = {
        "lighten": (12.0, 60.0), "darken": (12.0, 60.0), "contrast": (1.3, 2.2),
        "blur": (1.2, 4.0), "sharpen": (0.8, 2.5), "noise": (5.0, 15.0), "flatten": (0.2, 0.6),
    }  # fmt: skip
    amount = round(float(rng.uniform(*spans[change])), 3)
    if change == "sharpen":
        soft = blurred(under, 1.2).astype(np.int32)
        gain = round(amount * 256)
        sharp = under + ((under.astype(np.int32) - soft) * gain >> 8)
        return np.clip(sharp, 0, 255).astype(np.uint8), amount
    step = {"lighten": "brightness", "darken": "brightness", "flatten": "contrast"}.get(
        change, change
    )
    signed = -amount if change == "darken" else amount
    made, done = apply_tone(under, ((step, signed),), rng)
    return made, done[0][1]
