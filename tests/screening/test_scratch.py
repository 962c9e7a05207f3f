import multiprocessing
import time

import numpy as np
import psutil
import pytest

from tamperscope.images import write_png
from tamperscope.matching import keypoints
from tamperscope.matching.match import PreparedPanel
from tamperscope.records import Box
from tamperscope.screening.scratch import Scratch
from tamperscope.screening.workers import PanelCache, PanelSource, Workers
from tests.matching.pictures import texture


def sources(tmp_path, count: int = 3) -> list[PanelSource]:
    found = []
    for number in range(count):
        path = tmp_path / f"f{number}.png"
        write_png(path, texture(30 + number))
        found.append(PanelSource(f"f{number}p01", path, Box(10, 20, 190, 200), "microscopy"))
    return found


def test_a_panel_comes_back_as_it_was_worked_out(tmp_path):
    scratch = Scratch(tmp_path)
    panels = sources(tmp_path)
    fresh = PanelCache(panels).panel("f1p01")
    PanelCache(panels, scratch).panel("f1p01")
    again = PanelCache(panels, scratch).panel("f1p01")
    assert np.array_equal(again.gray, fresh.gray)
    assert np.array_equal(again.usable, fresh.usable)
    one, other = keypoints.features_of(again), keypoints.features_of(fresh)
    assert one.scale == other.scale
    for name in ("points", "size", "angle", "response", "descriptors"):
        kept, worked_out = getattr(one, name), getattr(other, name)
        assert kept.dtype == worked_out.dtype
        assert np.array_equal(kept, worked_out)


def test_what_is_kept_is_not_worked_out_again(tmp_path, monkeypatch):
    scratch = Scratch(tmp_path)
    panels = sources(tmp_path)
    PanelCache(panels, scratch).panel("f2p01")

    def refuse(panel: PreparedPanel) -> None:
        raise AssertionError(f"described {panel.name} again")

    monkeypatch.setattr(keypoints, "_describe", refuse)
    assert len(keypoints.features_of(PanelCache(panels, scratch).panel("f2p01")).points) > 50
    assert [path.suffix for path in tmp_path.glob("f2p01*")] == [".npz"]


def test_nothing_is_kept_of_a_panel_that_was_not_seen(tmp_path):
    assert Scratch(tmp_path).load("f9p01") is None


def points_of(cache: PanelCache, id: str) -> tuple[str, int]:
    return id, len(keypoints.features_of(cache.panel(id)).points)


def test_workers_answer_in_order_for_one_list_after_the_other(tmp_path):
    panels = sources(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ids = [panel.id for panel in panels]
    here = list(Workers(panels, 1).run(points_of, ids))
    assert [id for id, _ in here] == ids
    with Workers(panels, 2, Scratch(scratch)) as workers:
        assert list(workers.run(points_of, ids)) == here
        assert list(workers.run(points_of, ids[::-1])) == here[::-1]
    assert sorted(path.stem for path in scratch.iterdir()) == ids


def sleeping(cache: PanelCache, id: str) -> str:
    time.sleep(60)
    return id


def test_processes_are_gone_when_an_interrupted_work_ends(tmp_path):
    """They would write on into a folder that is being removed."""
    panels = sources(tmp_path)
    before = set(multiprocessing.active_children())
    started = []

    def interrupted() -> None:
        with Workers(panels, 2) as workers:
            workers.run(sleeping, [panel.id for panel in panels])
            started.extend(set(multiprocessing.active_children()) - before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert started
    # Asked of the system: multiprocessing lists a process for a moment after another thread, the
    # pool's own, has seen it end.
    assert not any(psutil.pid_exists(process.pid) for process in started)
