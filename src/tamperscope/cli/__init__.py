"""The command line. Each command lives in a module of its own and calls one function.

Command modules are imported when they are asked for, so that ``tamperscope --help`` answers at once
and a command that needs no torch never loads it.
"""

import importlib

import click

from tamperscope import __version__
from tamperscope.errors import TamperscopeError

COMMANDS = {  # name: (module that holds a click command called ``command``, one line of help)
    "screen": "Screen papers and images for reused and altered regions.",
    "compare": "Compare two images, or look inside one.",
    "evaluate": "Measure detectors, networks and masks on data with known truth.",
    "table": "Print results as tables, beside what papers print.",
    "train": "Train a network as a recipe says.",
    "localize": "Mark what a network takes for tampered in pictures.",
    "weights": "Convert and show the weights of the networks.",
    "complexity": "Print parameters and operations of the networks.",
    "datasets": "List, check, import and export datasets.",
    "synth": "Make panels with a known change, for training and tests.",
}


class UserError(click.ClickException):
    """Prints one line and exits with 2, as wrong usage does; 1 is kept for --fail-on-findings."""

    exit_code = 2


class Commands(click.Group):
    """Imports commands lazily and prints a TamperscopeError as one line.

    Any other exception keeps its traceback: it is ours to mend, not the user's.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command called ``name``."""
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tamperscope.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except TamperscopeError as error:
            raise UserError(str(error)) from error


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tamperscope")
def main() -> None:
    """Find reused and altered regions in scientific figures, with evidence that can be checked.

    \b
    Examples:
      tamperscope screen paper.pdf --out review/
      tamperscope compare figure1.png figure2.png --out pair/
    """  # noqa: D301 (click needs the character)
