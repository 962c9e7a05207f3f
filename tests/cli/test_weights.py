import pytest
import torch
from click.testing import CliRunner

from tamperscope.cli import main
from tamperscope.models.weights import load_weights, read_card
from tamperscope.shipped import shipped_names
from tests.models.recordings import official_state_dict

NOISEPRINT = "modal_extractor.noiseprint."


def run(*arguments):
    return CliRunner().invoke(main, ["weights", *map(str, arguments)])


@pytest.fixture
def noiseprint(tmp_path):
    """A checkpoint laid out as TruFor's, with drawn weights."""
    state = {
        key.removeprefix(NOISEPRINT): tensor
        for key, tensor in official_state_dict("forma").items()
        if key.startswith(NOISEPRINT)
    }
    torch.save({"network": state, "global_step": 1}, tmp_path / "np.pth")
    return tmp_path / "np.pth"


def test_convert_and_show(noiseprint, tmp_path):
    out = tmp_path / "np.safetensors"
    converted = run("convert", noiseprint, "--model", "noiseprintpp", "--out", out, "--half")
    assert converted.exit_code == 0, converted.output
    assert "557,249 parameters of noiseprintpp" in converted.output
    shown = run("show", out)
    assert shown.exit_code == 0, shown.output
    for text in ("557,249", "F16, I64", "nonprofit", "np.pth, SHA-256", "depth=17, width=64"):
        assert text in shown.output


def test_parts_are_put_together_into_a_start_for_training(noiseprint, tmp_path):
    """VMamba-T first, Noiseprint++ on top; the card tells both and what is left untrained."""
    torch.save({"model": official_state_dict("vmamba_t")}, tmp_path / "vmamba.pth")
    first, both = tmp_path / "first.safetensors", tmp_path / "both.safetensors"
    start = ["--start", "forma_base"]
    done = run("convert", tmp_path / "vmamba.pth", "--model", "vmamba_t", "--out", first, *start)
    assert done.exit_code == 0, done.output
    done = run(
        "convert", noiseprint, "--model", "noiseprintpp", "--out", both, *start, "--onto", first
    )
    assert done.exit_code == 0, done.output
    network, card = load_weights(both, for_training=True), read_card(both)
    official = official_state_dict("forma")
    expected = official_state_dict("vmamba_t")["layers.2.blocks.7.mlp.fc1.bias"]
    assert torch.equal(network.backbone.stages[2][7].mlp.expand.bias, expected)
    expected = official[f"{NOISEPRINT}47.weight"]
    assert torch.equal(network.noise.extractors[0].convs[16].weight, expected)
    assert "vmamba_t: MIT; then noiseprintpp: GRIP-UNINA" in card.licence
    assert len(card.untrained) == 503 - 272 - 94
    assert any(key.startswith("backbone.stages.2.8.") for key in card.untrained)
    assert "a start for training" in run("show", both).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "loma"], "not a state dict of loma"),
        (["--model", "noiseprintpp", "--start", "loma_base"], "LoMa does not start from"),
        (["--model", "noiseprintpp", "--start", "loma"], "No model is called 'loma'"),
        (["--model", "noiseprintpp", "--onto", "x.safetensors"], "--onto needs --start"),
    ],
)
def test_what_does_not_fit_writes_nothing(noiseprint, tmp_path, arguments, message):
    out = tmp_path / "out.safetensors"
    result = run("convert", noiseprint, "--out", out, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not out.exists()


def test_existing_files_are_kept(noiseprint, tmp_path):
    out = tmp_path / "np.safetensors"
    out.write_bytes(b"precious")
    again = ["convert", noiseprint, "--model", "noiseprintpp", "--out", out]
    result = run(*again)
    assert result.exit_code == 2
    assert "--overwrite" in result.output
    assert out.read_bytes() == b"precious"
    assert run(*again, "--overwrite").exit_code == 0
    result = run("convert", noiseprint, "--model", "noiseprintpp", "--out", tmp_path / "np.bin")
    assert "must end in .safetensors" in result.output


def test_showing_a_broken_file_is_one_line(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    result = run("show", tmp_path / "w.safetensors")
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert "not a whole safetensors file" in result.output
    assert len(result.output.splitlines()) == 1


def test_weights_that_come_with_the_program_are_shown_by_name(tmp_path):
    for name in shipped_names():
        shown = run("show", name)
        assert shown.exit_code == 0, shown.output
        assert f"{name}.safetensors" in shown.output
        assert "Apache-2.0" in shown.output
    missing = run("show", "nothing_small")
    assert missing.exit_code == 2
    assert "nothing_small is not there; with the program come biotampernet_small" in missing.output
