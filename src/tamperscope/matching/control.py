"""The negative control: is the source region of a match found in other panels as well?

What matches one panel only says more than what matches every panel of the document.
"""

from collections.abc import Sequence

import numpy as np

from tamperscope.matching import keypoints
from tamperscope.matching.match import Match, PreparedPanel
from tamperscope.matching.verify import verify

MOST_TRIED = 2  # proposals for one other panel that are verified


def control(match: Match, a: PreparedPanel, others: Sequence[PreparedPanel]) -> tuple[int, int]:
    """Look for the source region of ``match`` in other panels.

    Args:
        match: Match whose source lies in ``a``.
        a: Its source panel.
        others: Panels that the match does not speak of.

    Returns:
        (panels in which the region is matched at least as well, panels tried).
    """
    region = PreparedPanel(
        gray=a.gray, usable=np.asarray(a.usable & match.source_mask), kind=a.kind, name=a.name
    )
    own = keypoints.features_of(a)
    keypoints.remember(region, keypoints.inside(own, np.asarray(region.usable)))
    as_well = sum(_matches(region, other, match.chance) for other in others)
    return as_well, len(others)


def _matches(region: PreparedPanel, other: PreparedPanel, chance: float) -> bool:
    for proposal in keypoints.propose_between(region, other)[:MOST_TRIED]:
        found = verify(region, other, proposal)
        if found is not None and found.chance <= chance:
            return True
    return False
