import re
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_every_commands_help_is_in_the_docs():
    render = runpy.run_path(str(ROOT / "tools" / "make_cli_docs.py"))["render"]
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == render(), (
        "run: python tools/make_cli_docs.py"
    )


def test_the_tree_in_the_readme_lists_every_part():
    text = README.read_text(encoding="utf-8")
    for path in (ROOT / "src" / "tamperscope").iterdir():
        if path.name.startswith("_") or path.suffix not in ("", ".py"):
            continue
        name = path.name if path.is_file() else f"{path.name}/"
        assert name in text, f"README.md does not mention {name}"


@pytest.mark.parametrize(
    "page",
    sorted([README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]),
    ids=lambda p: p.name,
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_registry_host_is_named():
    """Packages come by name from wherever the user's client is set up to look."""
    hosts = re.compile(r"(files\.pythonhosted|download\.pytorch|registry\.npmjs|//pypi\.)", re.I)
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = [ROOT / name for name in listed if Path(name).suffix in {".py", ".md", ".toml", ""}]
    assert len(texts) > 20
    for path in texts:
        if path.is_file() and path != Path(__file__):
            assert not hosts.search(path.read_text(encoding="utf-8")), path
