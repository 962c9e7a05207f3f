"""Panels drawn from nothing but a generator: blots and gels, micrographs, cytometry, plates."""

from tamperscope.synth.drawn.panel import MODALITIES, draw_panel
from tamperscope.synth.drawn.scene import DrawnPanel

__all__ = ["MODALITIES", "DrawnPanel", "draw_panel"]
