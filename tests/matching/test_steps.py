import numpy as np
import pytest

from tamperscope.matching.steps import MISS, VOTE, best_runs, find_runs


@pytest.mark.parametrize("seed", range(10))
def test_the_best_run_is_the_best_of_all_runs(seed):
    weight = np.where(np.random.default_rng(seed).random((14, 5)) < 0.4, VOTE, -MISS)
    best, start, stop = best_runs(weight)
    for column in range(5):
        sums = {(i, j): weight[i:j, column].sum() for i in range(14) for j in range(i + 1, 15)}
        assert best[column] == pytest.approx(max(0, *sums.values()))
        assert best[column] == pytest.approx(sums[start[column], stop[column]])


def step_image(width=80):
    gray = np.random.default_rng(0).normal(0.5, 0.004, (64, width)).astype(np.float32)
    gray[16:48, 37:] += 0.1
    return gray, np.ones(gray.shape, dtype=bool)


def test_a_step_gets_every_vote_of_its_rows_and_no_other():
    (run,) = find_runs(*step_image(), block=4, least=8, most=5)
    assert (run.column, run.start, run.stop, run.share) == (37, 16, 48, 1.0)
    assert run.votes == pytest.approx(8 * VOTE)


def test_places_that_are_not_usable_have_no_votes():
    gray, usable = step_image()
    usable[:, 32:36] = False
    assert find_runs(gray, usable, block=4, least=8, most=5) == []


def test_the_grid_of_jpeg_gets_no_votes():
    gray, usable = step_image(96)
    gray[16:48, 37:] -= 0.1
    gray += 0.05 * ((np.arange(96) // 8) % 2)  # steps at every multiple of 8
    assert find_runs(gray, usable, block=4, least=8, most=5) == []


def test_images_too_small_for_two_blocks_have_no_runs():
    gray, usable = step_image()
    assert find_runs(gray[:7], usable[:7], block=4, least=1, most=5) == []
    assert find_runs(gray[:, :20], usable[:, :20], block=4, least=1, most=5) == []
