import json

import numpy as np
import pytest
from click.testing import CliRunner

from tamperscope.cli import main
from tamperscope.images import read_pixels, write_png
from tests.evaluation.drawn import texture, write_pictures
from tests.evaluation.drawn_biofors import BOX, box_mask, put, write_biofors


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pristine") / "root")


def run(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def few(pictures, out, *more):
    return run("duplicates", "--images", pictures, "--count", 0, "--pristine", 1, "--panels", 1,
               "--detector", "keypoints", "--out", out, *more)  # fmt: skip


def test_pristine_panels_are_counted_and_what_cannot_serve_is_said(pictures, tmp_path):
    out = tmp_path / "deep" / "result.json"
    done = few(pictures, out)
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert result["format"] == "tamperscope-duplicates/1"
    assert result["false_alarms"]["panel"]["all"]["trials"] == 1
    assert result["false_alarms"]["unrelated"]["all"]["trials"] == 1
    assert {entry["why"].partition(":")[0] for entry in result["skipped_pictures"]} == {
        "constant",
        "too small",
    }
    assert result["metadata"]["seed"] == 0
    assert "False alarms" in done.output
    again = few(pictures, out)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    out.unlink()
    assert few(pictures, out).exit_code == 0  # from the journal
    resumed = json.loads(out.read_text())
    assert resumed["seconds"] == result["seconds"]
    out.unlink()
    other = few(pictures, out, "--seed", 1)
    assert other.exit_code == 2
    assert "another measurement" in other.output


def test_seams_are_measured_on_the_blots_of_a_folder(pictures, tmp_path):
    out = tmp_path / "seams.json"
    done = run("seams", "--images", pictures, "--count", 0, "--out", out)
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert result["false_alarms"]["any"]["trials"] == 4
    assert result["metadata"]["pictures"] == 4


def test_folders_that_cannot_serve_are_one_line_errors(pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("duplicates", "--images", tmp_path / "empty", "--out", tmp_path / "x.json")
    assert done.exit_code == 2
    assert "holds no pictures" in done.output
    assert "Traceback" not in done.output
    done = run("seams", "--images", pictures / "microscopy", "--out", tmp_path / "x.json")
    assert done.exit_code == 2
    assert "blots" in done.output


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Tampered pictures and one pristine, as Tp/Gt/Au; the second truth has another size."""
    root = tmp_path_factory.mktemp("photos") / "root"
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 10:30] = 255
    for name in ("Tp", "Gt", "Au"):
        (root / name).mkdir(parents=True)
    for number in range(3):
        write_png(root / "Tp" / f"{number}.png", texture(number, 40, 60))
        write_png(root / "Gt" / f"{number}.png", mask if number != 1 else mask[:30])
    write_png(root / "Au/9.png", texture(9, 40, 60))
    return root


@pytest.fixture
def answers(photos, tmp_path):
    """Right for 0, a heatmap for 2, one row too many in the pristine one."""
    truth = read_pixels(photos / "Gt/0.png")[..., 0]
    stray = np.zeros((40, 60), np.uint8)
    stray[:1] = 255
    heat = (truth // 2) + 60  # 187 and 60 of 255
    for name, mask in {"Tp/0": truth, "Tp/1": stray, "Tp/2": heat, "Au/9": stray}.items():
        path = tmp_path / "answers" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, mask)
    return tmp_path / "answers"


def test_a_folder_of_masks_is_scored_on_a_dataset(photos, answers, tmp_path):
    out = tmp_path / "result.json"
    asked = ("--dataset", "tpgt", "--root", photos, "--masks", answers, "--out", out)
    done = run(*asked)
    assert done.exit_code == 0, done.output
    assert "left out Tp/1.png" in done.output
    result = json.loads(out.read_text())
    (scores,) = result["sets"]
    assert (scores["tampered"], scores["f1"], scores["graded"]["auc"]) == (2, 1.0, 1.0)
    assert scores["pristine"]["false_alarm_area"] == pytest.approx(1 / 40)
    assert result["method"]["name"] == "answers"
    assert run(*asked).exit_code == 2  # the result is there
    out.unlink()
    assert run(*asked).exit_code == 0  # from the journal
    assert json.loads(out.read_text())["sets"] == result["sets"]
    out.unlink()
    write_png(answers / "Tp/0.png", np.zeros((40, 60), np.uint8))
    other = run(*asked)
    assert (other.exit_code, "another measurement" in other.output) == (2, True)
    assert run(*asked, "--overwrite").exit_code == 0
    assert json.loads(out.read_text())["sets"][0]["f1"] == 0.5
    table = CliRunner().invoke(main, ["table", str(out), "--format", "markdown"])
    assert table.exit_code == 0, table.output
    assert "50.0/50.0" in table.output
    assert "measured here" in table.output
    assert "published" not in table.output.splitlines()[4]


def test_part_of_a_dataset_and_another_size(photos, answers, tmp_path):
    for path in (answers / "Au").iterdir():
        path.unlink()
    asked = ("--dataset", "tpgt", "--root", photos, "--masks", answers)
    lacking = run(*asked, "--out", tmp_path / "a.json")
    assert lacking.exit_code == 2
    assert "lacks 1 of 4 predictions: none for" in lacking.output
    done = run(*asked, "--only", "tampered", "--sizes", "loma", "--resize-masks",
               "--out", tmp_path / "b.json", "--name", "ours")  # fmt: skip
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "b.json").read_text())
    assert result["setting"]["score_size"] == [512, 512]
    counts = json.loads((tmp_path / "b.cases.jsonl").read_text().splitlines()[1])["counts"]
    assert sum(counts.values()) == 512 * 512
    assert (result["sets"][0]["tampered"], result["sets"][0]["pristine"]) == (3, None)
    assert result["method"]["name"] == "ours"


def test_a_detector_is_scored_and_a_network_without_weights_is_refused(photos, tmp_path):
    done = run("--dataset", "tpgt", "--root", photos, "--detector", "seams", "--limit", 1,
               "--out", tmp_path / "seams.json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "seams.json").read_text())["method"]["kind"] == "detector"
    refused = run("--dataset", "tpgt", "--root", photos, "--model", "forma_base",
                  "--out", tmp_path / "x.json")  # fmt: skip
    assert refused.exit_code == 2
    assert "--weights is missing" in refused.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "tpgt"], "--root is missing"),
        (["--dataset", "tpgt", "--root", ".", "--out", "x.json"], "say what to score"),
        (["--dataset", "tpgt", "--root", ".", "--out", "x.json", "--masks", "a", "--detector",
          "seams"], "say what to score"),
        (["--dataset", "nist", "--root", ".", "--out", "x.json", "--masks", "a"], "nist16"),
        (["--dataset", "binder", "--root", "ROOT", "--out", "x.json", "--masks", "a"],
         "holds no folders"),
        (["--limit", "3", "seams"], "belongs to 'tamperscope evaluate --dataset'"),
        (["--dataset", "tpgt", "--root", "ROOT", "--out", "x.json", "--masks", "nowhere"],
         "no folder 'Tp'"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(arguments, message, tmp_path):
    done = run(*(str(tmp_path) if argument == "ROOT" else argument for argument in arguments))
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_network_is_scored_at_every_size(photos, tmp_path):
    torch = pytest.importorskip("torch")
    from tamperscope.models import create_model
    from tamperscope.models.weights import WeightsCard, save_weights

    torch.manual_seed(0)
    network = create_model("loma_test")
    card = WeightsCard(
        builder="loma_test", config=vars(network.config), data="none", licence="none"
    )
    save_weights(tmp_path / "w.safetensors", network, card)
    for sizes in ("native", "forma", "loma"):
        out = tmp_path / f"{sizes}.json"
        done = run("--dataset", "tpgt", "--root", photos, "--model", "loma_test", "--weights",
                   tmp_path / "w.safetensors", "--only", "tampered", "--limit", 1, "--sizes",
                   sizes, "--device", "cpu", "--out", out)  # fmt: skip
        assert done.exit_code == 0, done.output
        result = json.loads(out.read_text())
        assert result["sets"][0]["graded"]["auc"] is not None
        assert result["method"]["weights"]["sha256"]
    both = run("--dataset", "tpgt", "--root", photos, "--model", "loma_test", "--weights",
               tmp_path / "w.safetensors", "--detector", "keypoints", "--only", "tampered",
               "--limit", 1, "--device", "cpu", "--out", tmp_path / "both.json")  # fmt: skip
    assert both.exit_code == 0, both.output
    method = json.loads((tmp_path / "both.json").read_text())["method"]
    assert method["name"] == "loma_test + keypoints"
    assert (method["detector"], bool(method["weights"]["sha256"])) == ("keypoints", True)


def test_a_table_says_what_is_no_result(tmp_path):
    (tmp_path / "a.json").write_text('{"format": "tamperscope-seams/1"}')
    (tmp_path / "b.json").write_text("no")
    for name, message in {"a.json": "seams/1", "b.json": "no result file", "c.json": "cannot be read"}.items():  # fmt: skip  # noqa: E501
        done = CliRunner().invoke(main, ["table", str(tmp_path / name)])
        assert done.exit_code == 2
        assert message in done.output


def test_a_pair_network_is_scored_on_pairs_and_on_panels(tmp_path):
    pytest.importorskip("torch")
    from tamperscope.models import create_model
    from tamperscope.models.weights import WeightsCard, save_weights

    network = create_model("biotampernet_test")
    config = vars(network.config)
    card = WeightsCard(builder="biotampernet_test", config=config, data="none", licence="none")
    save_weights(tmp_path / "w.safetensors", network, card)
    root = write_biofors(tmp_path / "root")
    for task, units in {"edd": 3, "idd": 5}.items():
        out = tmp_path / f"{task}.json"
        done = run("--dataset", f"biofors_{task}", "--root", root, "--model", "biotampernet_test",
                   "--weights", tmp_path / "w.safetensors", "--device", "cpu", "--out", out)  # fmt: skip  # noqa: E501
        assert done.exit_code == 0, done.output
        (combined, *_) = [
            entry
            for entry in json.loads(out.read_text())["entries"]
            if entry["category"] == "Combined"
        ]
        assert (combined["units"], combined["missing"]) == (units, 0)
        assert json.loads(out.read_text())["reconstructed_pairs"] is False
    wrong = run("--dataset", "biofors_idd", "--root", root, "--model", "biotampernet_small",
                "--weights", tmp_path / "w.safetensors", "--out", tmp_path / "x.json")  # fmt: skip
    assert (wrong.exit_code, "name --model biotampernet_test" in wrong.output) == (2, True)


def test_legacy_lets_predictions_be_missing_where_the_script_does(tmp_path):
    root = write_biofors(tmp_path / "root")
    put(tmp_path / "masks/d2/1.png", box_mask(BOX))
    asked = ("--dataset", "biofors_idd", "--root", root, "--masks", tmp_path / "masks")
    refused = run(*asked, "--out", tmp_path / "a.json")
    assert (refused.exit_code, "lacks 4 of 5" in refused.output) == (2, True)
    done = run(*asked, "--legacy", "--out", tmp_path / "b.json")
    assert done.exit_code == 0, done.output
    assert "the scripts' arithmetic" in done.output
    combined = json.loads((tmp_path / "b.json").read_text())["entries"][-1]
    assert (combined["missing"], combined["image"]["corrected"]) == (4, None)
    assert combined["image"]["legacy"]["mcc"] == pytest.approx(1.0)


def test_without_results_the_papers_tables_are_printed():
    done = CliRunner().invoke(main, ["table"])
    assert done.exit_code == 0, done.output
    assert done.output.count("## ") == 11
    assert (
        "| BioTamperNet | published: BioTamperNet, slides, EDD table | 0.739/0.487 |" in done.output
    )
    assert "| 0.540/0.504 |" in done.output
    assert "| MPC | computed from published rows: LoMa, plain mean of the ten sets of the main table | 59.7/51.0 |" in done.output  # fmt: skip  # noqa: E501
    assert "measured" not in done.output
    assert CliRunner().invoke(main, ["table", "--plot", "x.svg"]).exit_code == 2
