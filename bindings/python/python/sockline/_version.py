"""Which version this is, and what it calls itself."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["USER_AGENT", "VERSION"]

try:
    VERSION = version("sockline")
except PackageNotFoundError:  # imported from a folder that was never installed
    VERSION = "0"

USER_AGENT = f"Python/{sys.version_info.major}.{sys.version_info.minor} sockline/{VERSION}"
"""The default of the User-Agent and Server headers."""
