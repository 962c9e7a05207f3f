"""What needs to be fast: one definition, several ways to compute it.

The names below are loaded when they are first asked for, because the selective scan needs torch and
the dense-field matcher, which lives beside it, must work without.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamperscope.kernels.scan import selective_scan

__all__ = ["selective_scan"]


def __getattr__(name: str) -> Any:
    if name == "selective_scan":
        from tamperscope.kernels.scan import selective_scan  # torch: only when asked for

        return selective_scan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
