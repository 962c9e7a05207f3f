import json

import pytest

from tamperscope.evaluation import seam_cases, seam_samples
from tamperscope.evaluation.seam_cases import SeamMeasurement
from tamperscope.evaluation.sources import Source
from tamperscope.images import write_png
from tests.evaluation.test_seam_samples import pixels


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("blots")
    listed = []
    for i in range(3):
        write_png(root / f"{i}.png", pixels(i))
        listed.append(Source(root / f"{i}.png", f"{i}.png", "blot", f"lab{i % 2}"))
    return tuple(listed)


def test_the_plan_has_every_change_strength_and_storage(sources):
    cases = seam_cases.plan(sources, 2)
    assert len({case.key for case in cases}) == len(cases)
    strengths = 2 * len(seam_samples.JUMPS) + len(seam_samples.FILLS)
    assert len(cases) == 2 * strengths * len(seam_samples.STORAGES)


def test_strong_changes_are_found_and_untouched_blots_are_not(sources):
    chosen = {
        case.key: case
        for case in seam_cases.plan(sources, 2)
        if case.storage == "as is" and (case.jump == 8 or case.fill == "constant")
    }
    measurement = SeamMeasurement(chosen, sources, 0, None)
    keys = [*chosen, *(source.name for source in sources)]
    records = [{"key": key, **measurement(key)} for key in keys]
    result = seam_cases.summarise(records, 0)
    for change in ("join", "patch", "erased"):
        assert result["recall"][change]["all"]["successes"] >= 1, change
    assert result["recall"]["erased"]["all"]["share"] == 1
    assert result["recall"]["join"]["jump"]["8.0"]["trials"] == 2
    boxes = result["recall"]["patch, as a box"]["all"]
    assert boxes["trials"] == result["recall"]["patch"]["all"]["trials"]
    assert boxes["successes"] >= 1
    assert result["false_alarms"]["any"]["successes"] == 0
    assert result["false_alarms"]["any"]["trials"] == 3
    assert result["false_alarms"]["any"]["interval"][1] == pytest.approx(1 - 0.025 ** (1 / 3))
    json.dumps(result)
    assert "erased" in seam_cases.as_text(result)


def test_a_seam_elsewhere_is_no_hit(sources):
    found = seam_cases._lies_on
    seam = type("S", (), {"horizontal": False, "place": 100, "start": 20, "stop": 60})()
    assert found(seam, (False, 102.5, 0, 200))
    assert not found(seam, (False, 103.5, 0, 200))
    assert not found(seam, (True, 100.0, 0, 200))
    assert found(seam, (False, 100.0, 40, 200))
    assert not found(seam, (False, 100.0, 41, 200))
