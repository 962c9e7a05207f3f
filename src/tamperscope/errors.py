"""Errors a user can act on: the message says what was wrong, with which file, and what to try.

What only a programmer can put right stays a plain ``ValueError`` or ``TypeError``. The command
line turns a :class:`TamperscopeError` into one line without a traceback.
"""


class TamperscopeError(Exception):
    """Something the user can put right."""


class UnreadableInputError(TamperscopeError):
    """A file, or a part of one, cannot be read; the message names it and the reason."""


class OutputError(TamperscopeError):
    """The output folder cannot be used as asked."""


class MissingKernelError(TamperscopeError):
    """A native library was needed and is not built for this machine."""


class MissingExtraError(TamperscopeError):
    """An optional dependency is needed for what was asked and is not installed."""


class ModelNameError(TamperscopeError):
    """No model has the name that was asked for."""


class WeightsError(TamperscopeError):
    """A weights file is broken, or does not fit the network it was given to."""


class DatasetLayoutError(TamperscopeError):
    """A dataset folder is not laid out as its reader expects."""


class DeviceError(TamperscopeError):
    """The device that was asked for is not there."""


class PanelsFileError(TamperscopeError):
    """A corrected panels file does not fit the figures it is meant for."""


class RecipeError(TamperscopeError):
    """A recipe, of forged samples or of a training, is broken or asks for what is not there."""


class TrainingError(TamperscopeError):
    """A training cannot begin or go on; the message says what is saved."""


class ForgeError(TamperscopeError):
    """No sample could be made of the sources that were given."""
