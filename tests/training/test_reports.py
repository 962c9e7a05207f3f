import json
import sys

import pytest

from tamperscope.errors import MissingExtraError
from tests.training.small import PAIRS, SINGLES, Quiet, trained, written


def test_metrics_say_loss_rate_speed_and_where_time_goes(tmp_path):
    listener = Quiet()
    trained(written(tmp_path, PAIRS), tmp_path / "run", listener)
    lines = [json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    scored = [line for line in lines if "validation" in line]
    assert [line["step"] for line in steps] == [2, 4, 6, 8]
    assert [line["step"] for line in scored] == [4, 8]
    for line in steps:
        assert line["loss"] > 0
        assert line["samples_per_second"] > 0
        assert sum(line["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert steps[0]["rate"] == 1e-3
    assert steps[-1]["rate"] < 2e-4
    assert scored[0]["scores"].keys() == {"pairs"}
    assert [tick.step for tick in listener.ticks] == [2, 4, 6, 8]
    assert listener.ticks[0].seconds_left > 0
    assert listener.ticks[-1].seconds_left == 0
    assert any("pixel_mcc" in line for line in listener.lines)


def test_tensorboard_is_asked_for_by_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"tamperscope\[tensorboard\]"):
        trained(written(tmp_path, SINGLES), tmp_path / "run", tensorboard=True)


def test_tensorboard_hears_the_curves(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(written(tmp_path, SINGLES), tmp_path / "run", tensorboard=True)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [2, 4, 6, 8]
    assert [event.step for event in events.Scalars("mean_f1")] == [4, 8]
