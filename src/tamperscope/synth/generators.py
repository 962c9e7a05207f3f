"""Opens generators of patches by the names that recipes use, and draws patches with them.

    weights/patch_gan.safetensors         a generator that comes with the program
    weights/patch_gan.json                its card: data, licence, training, what was measured
    anything.safetensors                  one of your own; tools/train_generators.py trains it

The layouts that networks fill in come from drawn panels (:mod:`tamperscope.synth.layouts`).
PyTorch is imported when the first generator is opened, not before: the rest of the forge does
without.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tamperscope.errors import MissingExtraError, RecipeError
from tamperscope.synth.layouts import draw_layout, layout_of
from tamperscope.synth.recipe import Recipe
from tamperscope.synth.sample import Pixels, Size

if TYPE_CHECKING:
    from tamperscope.models.patch_network import PatchNetwork

OPERATION = "generated-patch"
SMALLEST, LARGEST = 64, 256  # pixels, sides of what is drawn; smaller patches are cut out of it
SUFFIX = ".safetensors"


class NetworkGenerator:
    """A network as a :class:`tamperscope.synth.work.PatchGenerator`.

    The network is loaded when it draws for the first time, and left behind when the generator is
    handed to another process.
    """

    largest = LARGEST

    def __init__(self, path: Path) -> None:
        """Read the card of a weights file.

        Raises:
            WeightsError: The file is missing, broken, or holds no generator of patches.
            MissingExtraError: PyTorch is not installed.
        """
        need_torch()
        from tamperscope.errors import WeightsError
        from tamperscope.models import GENERATORS  # heavy, see the module's text
        from tamperscope.models.weights import empty_network, read_card

        card = read_card(path)
        if card.builder not in GENERATORS:
            raise WeightsError(
                f"{path} holds weights of {card.builder}, which makes no patches; wanted is one "
                f"of {', '.join(GENERATORS)}"
            )
        self.path = path
        self.name = path.stem
        self.modalities: tuple[str, ...] = empty_network(
            card.builder, card.config
        ).config.modalities
        self.identity = f"{self.name}:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"

    @cached_property
    def network(self) -> "PatchNetwork":
        """The network with its weights."""
        from tamperscope.models.weights import load_weights

        network: Any = load_weights(self.path)
        return network

    def generate(
        self, rng: np.random.Generator, size: Size, modality: str, like: Pixels | None = None
    ) -> Pixels:
        """Return uint8 (height, width, 3), decided by ``rng`` and ``like`` alone.

        The layout is that of a drawn panel, or of ``like``: pixels (height, width, 3), of which
        only the mean colours of 8 x 8 pixels are used.

        The same seed gives the same bytes on one machine. Another processor may add in another
        order, and a level may then differ by one.

        Raises:
            ValueError: The generator knows no such modality, a side is not 1 to ``largest``, or
                ``like`` has another size.
        """
        if not all(1 <= side <= LARGEST for side in size):
            raise ValueError(f"patches have sides of 1 to {LARGEST} pixels, got {size}")
        if like is not None and like.shape != (*size, 3):
            raise ValueError(f"a patch of {size} cannot be laid out like {like.shape}")
        import torch  # loaded when the generator was opened

        from tamperscope.models.patch_network import CELL

        network = self.network
        label = network.label_of(modality)
        stride = network.stride
        height, width = (max(SMALLEST, -(-side // stride) * stride) for side in size)
        noise = [
            torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
            for shape in network.noise_shapes(1, (height, width))
        ]
        if like is None:
            layout = draw_layout(rng, (height, width), modality, CELL)
            top = int(rng.integers(height - size[0] + 1))
            left = int(rng.integers(width - size[1] + 1))
        else:
            below, right = height - size[0], width - size[1]
            layout = layout_of(np.pad(like, ((0, below), (0, right), (0, 0)), mode="edge"), CELL)
            top = left = 0
        with torch.inference_mode():
            image = network.draw(noise, label, torch.from_numpy(layout)[None])[0]
        levels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        return np.ascontiguousarray(levels[top : top + size[0], left : left + size[1]])

    def __getstate__(self) -> dict[str, object]:
        """Leave the network behind: another process loads its own."""
        return {key: value for key, value in self.__dict__.items() if key != "network"}


def generator_names() -> list[str]:
    """Names of the generators that come with the program."""
    folder = resources.files("tamperscope.synth") / "weights"
    return sorted(Path(f.name).stem for f in folder.iterdir() if f.name.endswith(SUFFIX))


def find_generator(name: str) -> NetworkGenerator:
    """Open a generator by its name, or a ``.safetensors`` file by its path.

    Raises:
        RecipeError: There is none of that name.
        WeightsError: The file is missing, broken, or holds no generator of patches.
        MissingExtraError: PyTorch is not installed.
    """
    if name.endswith(SUFFIX):
        return NetworkGenerator(Path(name))
    names = generator_names()
    if name not in names:
        raise RecipeError(
            f"no generator is called {name!r}; there are {', '.join(names)}, or give a file "
            f"NAME{SUFFIX} that tools/train_generators.py wrote"
        )
    return NetworkGenerator(_shipped(name + SUFFIX))


def read_generator_card(name: str) -> dict[str, Any]:
    """Read what is known of a generator that comes with the program: training and measurements."""
    card: dict[str, Any] = json.loads(_shipped(f"{name}.json").read_text(encoding="utf-8"))
    return card


def open_generators(recipe: Recipe) -> tuple[NetworkGenerator, ...]:
    """Open the generators that a recipe names, all that come with the program if it names none.

    Nothing is opened, and PyTorch not needed, where the recipe has no generated patches.

    Raises:
        RecipeError: There is none of a name, or two files have one name.
        WeightsError: A file is missing, broken, or holds no generator of patches.
        MissingExtraError: PyTorch is not installed.
    """
    settings = recipe.operations.get(OPERATION)
    if settings is None or settings.weight == 0:
        return ()
    names: Sequence[str] = settings.generators or generator_names()
    opened = tuple(find_generator(name) for name in names)
    if len({generator.name for generator in opened}) < len(opened):
        raise RecipeError(f"recipe {recipe.name} names a generator twice: {', '.join(names)}")
    return opened


def use_one_thread(generators: Sequence[object]) -> None:
    """Let this process compute patches in one thread, if it has networks that make any."""
    if any(isinstance(generator, NetworkGenerator) for generator in generators):
        import torch  # heavy, see the module's text

        torch.set_num_threads(1)


def need_torch() -> None:
    """Raise MissingExtraError unless PyTorch and safetensors are installed."""
    if find_spec("torch") is None or find_spec("safetensors") is None:
        raise MissingExtraError(
            "generated patches need PyTorch: pip install 'tamperscope[nets]', or set the weight "
            f"of {OPERATION} to 0 in the recipe"
        )


def _shipped(name: str) -> Path:
    return Path(str(resources.files("tamperscope.synth") / "weights" / name))
