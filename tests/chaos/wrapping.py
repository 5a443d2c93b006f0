"""Wrappers patch the process that they start, then become what stands behind them: `python -m <wrapper> ... -m services.<name> <role>`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence


def become(arguments: Sequence[str]) -> None:
    """Run `-m module argument ...` in this process, as `python -m` would; wrappers may be put before each other."""
    if len(arguments) < 2 or arguments[0] != "-m":
        sys.exit(f"expected -m and a module, not {list(arguments)}")
    module, *rest = arguments[1:]
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
