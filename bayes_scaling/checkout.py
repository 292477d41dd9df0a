"""In a checkout, ``models/`` and ``data/`` lie beside the package: this finder finds these two there, and nothing else.

In a wheel they lie inside the package, and Python finds them by itself.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["install"]

CHECKOUT = Path(__file__).resolve().parent.parent
BESIDE = ("bayes_scaling.models", "bayes_scaling.data")


class _BesideThePackage(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.PathFinder.find_spec(fullname, [str(CHECKOUT)]) if fullname in BESIDE else None


def install() -> None:
    """Register the finder where the package lies in a checkout; called once, when the package is imported."""
    if (CHECKOUT / "pyproject.toml").is_file() and not any(isinstance(f, _BesideThePackage) for f in sys.meta_path):
        sys.meta_path.append(_BesideThePackage())
