"""The engine's log lines go to ``logging.getLogger("sockline")``, at their levels."""

from __future__ import annotations

import logging

from ._native import set_log_level, take_log_lines_to

__all__ = ["follow_level", "logger"]

logger = logging.getLogger("sockline")


def follow_level() -> None:
    """Has the engine write the lines that the logger takes, and no others: even a line that is thrown away costs. Each
    new connection and server asks for it anew.
    """
    set_log_level(logger.getEffectiveLevel())


def _take(level: int, text: str) -> None:
    logger.log(level, "%s", text)


take_log_lines_to(_take)
follow_level()
