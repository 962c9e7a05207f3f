"""Writes docs/cli.md: what ``--help`` prints for every command.

python tools/make_cli_docs.py
"""

from collections.abc import Iterator
from pathlib import Path

import click

from tamperscope.cli import main as tamperscope

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Context]]:
    """Every command below ``group`` with its context, depth first."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        inner = click.Context(command, parent=context, info_name=name)
        yield inner.command_path, inner
        if isinstance(command, click.Group):
            yield from commands(command, inner)


def render() -> str:
    """Return the page."""
    top = click.Context(
        tamperscope,
        info_name="tamperscope",
        max_content_width=90,
        **tamperscope.context_settings,
    )
    parts = ["# Command line\n\nMade from `--help` by `python tools/make_cli_docs.py`.\n"]
    for path, context in [("tamperscope", top), *commands(tamperscope, top)]:
        text = context.command.get_help(context)
        parts.append(f"## {path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
