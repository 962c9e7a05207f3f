"""A training as small as will do: drawn blots of 64 x 64 pixels, networks of the unit tests."""

from pathlib import Path

from tamperscope.training.engine import Machine
from tamperscope.training.running import train

PAIRS = """
format = "tamperscope-training/1"
licence = "Apache-2.0"

[model]
name = "biotampernet_test"

[[data]]
forge = "{folder}/pairs.toml"
sources = ["drawn"]

[[data]]
forge = "{folder}/singles.toml"
sources = ["drawn"]

[loss]
name = "biotampernet"
matching = 0.1

[optimiser]
rate = 1e-3
clip = 1.0
average = 0.9

[schedule]
name = "cosine"
warm_up = 2

[validation]
every = 4

[[validation.data]]
forge = "{folder}/pairs.toml"
sources = ["drawn"]
samples = 3

[run]
steps = 8
batch = 2
log_every = 2
checkpoint_every = 2
"""

SINGLES = """
format = "tamperscope-training/1"
licence = "Apache-2.0"

[model]
name = "loma_test"

[[data]]
forge = "{folder}/singles.toml"
sources = ["drawn"]

[loss]
name = "dice_focal"

[optimiser]
rate = 1e-3

[validation]
every = 4
score = "mean_f1"

[[validation.data]]
forge = "{folder}/singles.toml"
sources = ["drawn"]
samples = 3

[run]
steps = 8
batch = 4
accumulate = 2
log_every = 2
checkpoint_every = 2
"""

FORGE = """
format = "tamperscope-recipe/1"
size = [64, 64]
[modalities]
blot = 1
"""
OPERATIONS = {
    "pairs": "[operations.whole]\n[operations.unrelated]\n",
    "singles": "[operations.copy-move]\nweight = 2\n[operations.pristine]\n",
}


class Quiet:
    """Hears everything and remembers the lines."""

    def __init__(self):
        self.lines, self.ticks = [], []

    def tick(self, tick):
        self.ticks.append(tick)

    def say(self, text):
        self.lines.append(text)

    def count(self, what, done, total):
        pass


def written(folder: Path, text: str = PAIRS, **changes: str) -> Path:
    """Write a recipe with its forge recipes; ``changes`` replace what stands before the ``=``."""
    for name, operations in OPERATIONS.items():
        (folder / f"{name}.toml").write_text(FORGE + operations)
    text = text.format(folder=folder)
    for key, value in changes.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line
                 for line in text.splitlines()]  # fmt: skip
        text = "\n".join(lines)
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def trained(recipe: Path, out: Path, listener=None, **machine):
    """Train on the CPU without workers."""
    settings = {"device": "cpu", "workers": 0, **machine}
    return train(recipe, out, Machine(**settings), {}, listener or Quiet())
