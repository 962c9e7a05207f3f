import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "tamperscope"

MAY_IMPORT = {
    "errors": set(),
    "records": set(),
    "movement": {"records"},
    "shipped": {"errors"},
    "images": {"errors"},
    "runtime": {"errors"},
    "kernels": {"errors"},
    "matching": {"errors", "records", "images", "kernels"},
    "models": {"errors", "kernels", "matching"},
    "data": {"errors", "images", "runtime"},
    "synth": {"errors", "images", "data", "models"},
    "evaluation": {"errors", "images", "runtime", "data", "models", "matching"},
    "training": {"errors", "images", "runtime", "data", "synth", "models", "evaluation"},
    "screening": {
        *("errors", "records", "movement", "shipped"),
        *("images", "runtime", "models", "matching"),
    },
    "report": {"errors", "records", "movement", "images"},
}
EVERYTHING = {"cli"}
NO_TORCH = (
    "tamperscope.cli",
    "tamperscope.report",
    "tamperscope.matching",
    "tamperscope.screening",
    "tamperscope.synth.writing",
    "tamperscope.synth.opening",
)


def part_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: write imports in full"
            names.add(node.module or "")
            if node.module == "tamperscope":
                names |= {f"tamperscope.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    parts = {name.split(".")[1] for name in names if name.startswith("tamperscope.")}
    return parts - {"__version__"}


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: str(f.relative_to(PACKAGE))
)
def test_imports_follow_the_arrows(file):
    part = part_of(file)
    if part != "__init__" and part not in EVERYTHING:
        assert imported_parts(file) <= MAY_IMPORT[part] | {part}


@pytest.mark.parametrize("module", NO_TORCH)
def test_starts_without_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
