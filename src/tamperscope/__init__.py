"""Tamperscope: find reused and altered regions in scientific figures, with evidence to check.

Importing this package is cheap: nothing heavy is loaded before a function that needs it is called.
"""

__version__ = "0.1.0"
