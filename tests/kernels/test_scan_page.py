"""docs/scan.md: its code runs, its tables are those of the result file."""

import json
import re

import torch

from benchmarks.scan_table import BEGIN, END, PAGE, RESULT, with_table


def test_the_code_on_the_page_runs():
    torch.manual_seed(0)
    shapes, names = [], {}  # the second block goes on where the first one ended
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
        assert names["y"].isfinite().all()
        shapes.append(tuple(names["y"].shape))
    assert shapes == [(1, 96, 4096), (1, 128, 128, 96)]


def test_the_tables_on_the_page_are_those_of_the_result_file():
    """And without a result file there is no table."""
    page = PAGE.read_text(encoding="utf-8")
    if not RESULT.is_file():
        assert f"{BEGIN}\n{END}" in page
        return
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    assert with_table(page, result) == page, "run: python -m benchmarks.scan_table"
    last = result["rows"][-1]
    assert f"| `{last['operator']}` | {last['pass']} | {last['states']} | {last['stage']} |" in page
