from click.testing import CliRunner

from tamperscope.cli import main


def test_the_table_holds_ours_and_the_published_rows():
    result = CliRunner().invoke(main, ["complexity", "--model", "forma_base"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    ours = next(line.split() for line in lines if line.startswith("forma_base"))
    assert ours[1:3] == ["37,255,319", "36,698,070"]
    assert ours[3:] == ["42.527", "42.873", "170.110", "171.494"]
    assert not any(line.startswith("loma_base") for line in lines)
    trufor = next(line for line in lines if line.startswith("TruFor"))
    assert trufor.split()[:4] == ["TruFor", "512", "68.7", "236.5"]


def test_an_unknown_network_is_one_line():
    result = CliRunner().invoke(main, ["complexity", "--model", "formabase"])
    assert result.exit_code == 2
    assert result.output.strip() == (
        "Error: No model is called 'formabase'. Did you mean 'forma_base'?"
    )
