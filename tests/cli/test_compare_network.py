import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tamperscope.cli import main, network_options
from tamperscope.images import write_png
from tamperscope.shipped import PANEL_TASKS, USUAL_TASKS
from tests.screening.drawn_network import one_thread, scene, write_network  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    wide = scene(192, 272)
    write_png(folder / "a.png", wide[:, :224].copy())
    write_png(folder / "b.png", wide[:, 48:].copy())
    write_network(folder / "w.safetensors")
    return folder


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_network_finding_has_two_places_a_transform_and_an_explanation(folder, tmp_path):
    a, b, weights = (folder / name for name in ("a.png", "b.png", "w.safetensors"))
    out = tmp_path / "out"
    asked = ("--detector", "biotampernet", "--weights", weights, "--explain", "--point", "140,96")
    result = run("compare", a, b, *asked, "--out", out)
    assert result.exit_code == 0, result.output
    data = json.loads((out / "findings.json").read_text())
    (finding,) = data["findings"]
    assert (finding["kind"], finding["detector"]) == ("duplicate", "biotampernet")
    assert finding["transform"][0][2] == pytest.approx(-48, abs=0.5)
    assert [region["figure"] for region in finding["regions"]] == ["f001", "f002"]
    assert finding["evidence"]["measures"]["network_score"] > 0.9
    assert data["run"]["parameters"]["networks"][0]["model"] == "biotampernet_test"
    assert (out / "a_mask.png").is_file()
    assert (out / "b_linked.png").is_file()
    assert "Linked to b at " in result.output
    again = run("compare", a, b, "--out", out, "--overwrite", "--detector", "keypoints")
    assert again.exit_code == 0, again.output
    assert not (out / "affinity.json").exists()  # of the earlier run


def test_identical_pictures_are_said_to_be_identical(folder, tmp_path):
    weights = write_network(tmp_path / "quiet.safetensors", marks=False)
    a = folder / "a.png"
    asked = ("--detector", "biotampernet", "--weights", weights)
    result = run("compare", a, a, *asked, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Figure 1 and figure 2 are identical, pixel for pixel." in result.output
    data = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert data["findings"][0]["evidence"]["measures"]["identical"] == 1.0


def test_screening_runs_the_network_where_weights_are_given(folder, tmp_path):
    weights = folder / "w.safetensors"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.png"):
        (pictures / name).write_bytes((folder / name).read_bytes())
    result = run("screen", pictures, "--weights", weights, "--jobs", 1, "--out", tmp_path / "out",
                 "--detector", "biotampernet", "--detector", "keypoints")  # fmt: skip
    assert result.exit_code == 0, result.output
    data = json.loads((tmp_path / "out" / "findings.json").read_text())
    named = [{f["detector"], *f["also"]} for f in data["findings"] if f["kind"] == "duplicate"]
    assert {"biotampernet", "keypoints"} in named
    assert data["run"]["parameters"]["networks"][0]["file"] == "w.safetensors"
    without = run("screen", pictures, "--weights", weights, "--no-nets", "--jobs", 1,
                  "--out", tmp_path / "plain", "--detector", "biotampernet",
                  "--detector", "keypoints")  # fmt: skip
    assert without.exit_code == 0, without.output
    data = json.loads((tmp_path / "plain" / "findings.json").read_text())
    assert data["run"]["parameters"]["networks"] == []
    assert all("biotampernet" not in {f["detector"], *f["also"]} for f in data["findings"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--weights", "w", "--detector", "seams"), "--weights is for --detector biotampernet"),
        (("--explain", "--detector", "seams"), "add --detector biotampernet"),
        (("--detector", "forma"), "--detector forma looks inside one picture"),
        (("--weights", "w", "--point", "1,2"), "--point needs --explain"),
        (("--weights", "w", "--explain", "--point", "12"), "is not a place; write X,Y"),
        (("--weights", "none.safetensors"), "none.safetensors is not there"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(folder, tmp_path, arguments, said):
    result = run("compare", folder / "a.png", folder / "b.png", *arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert said in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shipped", "torch", "network", "told"),
    [
        (False, False, False, 0),
        (False, True, False, 0),
        (True, True, True, 0),
        (True, False, False, 1),
    ],
)
def test_the_network_runs_unasked_where_it_can_and_else_the_report_says_so(
    monkeypatch, shipped, torch, network, told
):
    monkeypatch.setattr(network_options, "shipped_tasks", lambda wanted: wanted if shipped else ())
    monkeypatch.setattr(network_options, "networks_can_run", lambda: torch)
    chosen, remarks = network_options.detectors_of((), ("seams",), None)
    assert ("biotampernet" in chosen, len(remarks)) == (network, told)
    assert network_options.detectors_of(("seams",), ("keypoints",), None) == (("seams",), ())
    assert "biotampernet" in network_options.detectors_of((), ("seams",), Path("w"))[0]


def test_two_pictures_are_asked_what_they_share_and_one_what_is_inside():
    assert network_options.tasks_of_pictures(2) == ("pairs",)
    assert network_options.tasks_of_pictures(2, everything=True) == ("pairs",)
    assert network_options.tasks_of_pictures(1) == USUAL_TASKS
    everything = network_options.tasks_of_pictures(1, everything=True)
    assert everything == ("copies", "seams", "patches", "splices")
    assert network_options.tasks_of_pictures(1, ("forma", "seams")) == ("splices",)
    assert network_options.tasks_of(("biotampernet",), None) == (
        "pairs", "copies", "seams", "patches",
    )  # fmt: skip


def test_compare_loads_the_weights_of_its_task_alone(folder, tmp_path):
    for pictures, tasks in ((("a.png", "b.png"), ("pairs",)), (("a.png",), USUAL_TASKS)):
        out = tmp_path / tasks[0]
        result = run("compare", *(folder / name for name in pictures), "--out", out)
        assert result.exit_code == 0, result.output
        data = json.loads((out / "findings.json").read_text())
        files = [network["file"] for network in data["run"]["parameters"]["networks"]]
        assert files == [f"{PANEL_TASKS[task]}.safetensors" for task in tasks]


def test_no_nets_alone_leaves_nothing_to_do(folder, tmp_path):
    result = run("screen", folder / "a.png", "--detector", "biotampernet", "--no-nets",
                 "--out", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 2
    assert "--no-nets leaves nothing" in result.output
    assert not (tmp_path / "out").exists()
