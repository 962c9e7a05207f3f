"""Keeps what takes long to work out of panels in a folder, for other processes and later stages.

A panel meets ten others, in several processes; its letters and key points stay the same.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.keypoints import Features

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scratch:
    """A folder of one file for each panel, up to some 0.8 MB."""

    folder: Path  # exists and is writable

    def keep(self, id: str, ignore: Mask, features: Features) -> None:
        """Keep the drawn marks, (height, width), and the key points of a panel."""
        place = self._place(id)
        part = place.with_suffix(f".{os.getpid()}.part")  # two processes may work out the same
        with part.open("wb") as file:
            np.savez(
                file,
                ignore=np.packbits(ignore),
                shape=np.array(ignore.shape),
                points=features.points,
                size=features.size,
                angle=features.angle,
                response=features.response,
                descriptors=features.descriptors,
                scale=np.array(features.scale),
            )
        part.replace(place)

    def load(self, id: str) -> tuple[Mask, Features] | None:
        """What was kept of a panel: (drawn marks, key points); None if nothing was."""
        try:
            with np.load(self._place(id), allow_pickle=False) as kept:
                height, width = (int(side) for side in kept["shape"])
                bits = np.unpackbits(kept["ignore"], count=height * width)
                features = Features(
                    kept["points"],
                    kept["size"],
                    kept["angle"],
                    kept["response"],
                    kept["descriptors"],
                    float(kept["scale"]),
                )
                return bits.reshape(height, width).astype(np.bool_), features
        except FileNotFoundError:
            return None

    def _place(self, id: str) -> Path:
        return self.folder / f"{id}.npz"
