"""Device, precision and processes: Lightning Fabric does them, here it is told what a run wants."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tamperscope.errors import MissingExtraError, RecipeError
from tamperscope.runtime import pick_device
from tamperscope.training.recipe import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


@dataclass(frozen=True)
class Machine:
    """What changes from machine to machine; none of it decides the weights."""

    device: str = "auto"  # auto, cpu or cuda
    processes: int = 1  # one for each GPU, or several on the CPU
    workers: int = 1  # processes that make samples, for each process; 0: none
    minutes: float | None = None  # stop after so long, with a checkpoint; None: at the end
    tensorboard: bool = False


def start_engine(machine: Machine, run: Run, *, unused: bool) -> "Fabric":
    """Start the processes of a run; those beside the first come back from here as well.

    Args:
        machine: Where it runs.
        run: How it runs.
        unused: Whether a step may leave some of the parameters without a gradient.

    Raises:
        MissingExtraError: Lightning Fabric is not installed.
        DeviceError: The device is not there.
        RecipeError: The batch or the precision cannot be had here.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy
    except ImportError as error:
        raise MissingExtraError(
            "training needs Lightning Fabric: pip install 'tamperscope[train]'"
        ) from error
    device = pick_device(machine.device).type
    portions = machine.processes * run.accumulate
    if run.batch % portions:
        raise RecipeError(
            f"[run] batch {run.batch} cannot be cut into {portions} parts: {machine.processes} "
            f"processes, accumulate {run.accumulate}"
        )
    if run.precision == "16" and device == "cpu":
        raise RecipeError('[run] precision "16" needs a GPU; use "32" or "bf16" on this machine')
    fabric = Fabric(
        accelerator=device,
        devices=machine.processes,
        precision=PRECISIONS[run.precision],  # type: ignore[arg-type]
        strategy=DDPStrategy(find_unused_parameters=unused) if machine.processes > 1 else "auto",
    )
    fabric.launch()
    return fabric
