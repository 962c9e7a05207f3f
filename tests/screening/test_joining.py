from dataclasses import replace

import numpy as np

from tamperscope.matching.match import Match
from tamperscope.screening.joining import join_pieces


def piece(x0: int, x1: int, dx: float = 40, score: float = 0.9, **changes) -> Match:
    """Rows 10 to 20 and columns x0 to x1, moved by dx."""
    source, target = np.zeros((2, 40, 200), dtype=bool)
    source[10:20, x0:x1] = True
    target[10:20, x0 + int(dx) : x1 + int(dx)] = True
    match = Match(
        detector="keypoints",
        transform=np.array([[1, 0, dx], [0, 1, 0], [0, 0, 1.0]]),
        source_mask=source,
        target_mask=target,
        inliers=10,
        correlation=0.9,
        correlation_tone=0.95,
        chance=0.001,
        chance_null="null",
        score=score,
    )
    return replace(match, **changes)


def test_pieces_of_one_transform_become_one_match():
    first, second = piece(10, 40, score=0.8), piece(60, 90, 41, detector="dense-field-zm")
    (joined,) = join_pieces([first, second])
    assert joined.score == 0.9
    assert joined.transform[0, 2] == 41
    assert joined.inliers == 20
    assert joined.also == ("keypoints",)
    assert (joined.source_mask == (first.source_mask | second.source_mask)).all()
    assert (joined.target_mask == (first.target_mask | second.target_mask)).all()


def test_other_transforms_and_inversions_stay_apart():
    turned = np.array([[1, -0.2, 40], [0.2, 1, 0], [0, 0, 1.0]])
    matches = [
        piece(10, 40),
        piece(60, 90, 50),
        piece(60, 90, inverted=True),
        piece(60, 90, transform=turned),
    ]
    assert len(join_pieces(matches)) == 4


def test_nothing_joins_to_nothing():
    assert join_pieces([]) == []
