"""Trains in child processes and kills them: python -m tests.training.killed RECIPE FOLDER

One child trains FOLDER/whole undisturbed. Others train FOLDER/killed and are killed with SIGKILL,
each later than the one before, until one gets through. Children are forked from a process that has
imported everything and computed nothing, so that a kill falls into the training and not into the
imports. Prints how many were killed.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch
import torch._dynamo  # the first optimiser would import it: seconds

from tamperscope.training.engine import Machine
from tamperscope.training.running import train
from tests.training.small import Quiet

MOMENTS = (0.2, 0.35, 0.5, 0.65)  # of the time that an undisturbed run takes


def start(recipe: Path, out: Path) -> int:
    child = os.fork()
    if child:
        return child
    torch.set_num_threads(1)
    try:
        train(recipe, out, Machine("cpu", workers=0), {}, Quiet())
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def main(recipe: Path, folder: Path) -> None:
    began = time.monotonic()
    assert os.waitpid(start(recipe, folder / "whole"), 0)[1] == 0
    seconds = time.monotonic() - began
    killed = 0
    for moment in MOMENTS:
        child = start(recipe, folder / "killed")
        time.sleep(moment * seconds)
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert os.waitpid(start(recipe, folder / "killed"), 0)[1] == 0
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
