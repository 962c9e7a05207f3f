"""What needs to be fast: one definition, several ways to compute it.

The names below are loaded when they are first asked for, because the selective scan needs torch and
the dense-field matcher, which lives beside it, must work without.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamperscope.kernels.scan import IMPLEMENTATIONS, chosen_implementation, selective_scan
    from tamperscope.kernels.ss2d_scan import ss2d

__all__ = ["IMPLEMENTATIONS", "chosen_implementation", "selective_scan", "ss2d"]


def __getattr__(name: str) -> Any:
    if name == "ss2d":
        from tamperscope.kernels.ss2d_scan import ss2d  # torch: only when asked for

        return ss2d
    if name in __all__:
        from tamperscope.kernels import scan  # torch: only when asked for

        return getattr(scan, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
