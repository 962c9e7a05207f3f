"""Says in one plain sentence what was seen. Observations only: never a cause or a verdict."""

import numpy as np

from tamperscope.matching.match import Match
from tamperscope.movement import Movement, in_words, movement


def movement_of(match: Match) -> Movement:
    """Movement of a match at the middle of its source region."""
    rows, columns = np.nonzero(match.source_mask)
    matrix = tuple((float(r[0]), float(r[1]), float(r[2])) for r in match.transform)
    return movement(matrix, (float(columns.mean()), float(rows.mean())))


def describe_movement(match: Match) -> str:
    """Say how the second place differs from the first, e.g. ``mirrored left to right``."""
    words = in_words(movement_of(match), same_panel=False)
    if match.inverted:
        words.append("dark and bright exchanged")
    return ", ".join(words)


def describe_share(share: float) -> str:
    """Say how much of a panel a region covers."""
    if share > 0.9:
        return "nearly the whole"
    if share > 0.5:
        return f"most ({share:.0%})"
    return f"a part ({max(share, 0.01):.0%})"


def sentence_between(match: Match, first: str, second: str, same_field: bool) -> str:
    """Sentence of a duplicate between two panels, named as the reader sees them."""
    first_share = describe_share(float(match.source_mask.mean()))
    second_share = describe_share(float(match.target_mask.mean()))
    text = (
        f"{first_share[0].upper()}{first_share[1:]} of {first} appears again in {second} "
        f"({second_share} of it): {describe_movement(match)}."
    )
    if same_field:
        text += (
            " Both panels belong to one figure and show the same field at the same place, as colour"
            " channels and merged views do."
        )
    return text


def sentence_within(match: Match, panel: str) -> str:
    """Sentence of a copy-move inside one panel."""
    share = float(match.source_mask.mean())
    return (
        f"Two places inside {panel} show the same content ({share:.1%} of the panel each): "
        f"{describe_movement(match)}."
    )
