"""What ``logger`` and ``engineio_logger`` ask for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .._logging import follow_level
from .._logging import logger as engine_logger

__all__ = ["chosen_logger", "known_levels", "log_engine", "takes_info"]


def chosen_logger(logger: Any, default: logging.Logger) -> logging.Logger:
    """``True`` asks for a logger that says much, ``False`` for one that says errors only."""
    if not isinstance(logger, bool):
        return logger  # type: ignore[no-any-return]
    if default.level == logging.NOTSET:
        default.setLevel(logging.INFO if logger else logging.ERROR)
        if logger:
            default.addHandler(logging.StreamHandler())
    return default


def takes_info(logger: Any) -> Callable[[int], bool]:
    """Asked with ``logging.INFO``, whether lines of that level are worth their words; always, for who can't say so."""
    return getattr(logger, "isEnabledFor", lambda level: True)


def known_levels(logger: Any) -> dict[int, bool] | None:
    """Where a logger of the standard library's keeps by level whether it takes lines, as far as it was asked. It forgets all when any
    level changes.
    """
    is_usual = isinstance(logger, logging.Logger) and type(logger).isEnabledFor is logging.Logger.isEnabledFor
    known = getattr(logger, "_cache", None) if is_usual and "isEnabledFor" not in vars(logger) else None
    return known if type(known) is dict else None


def log_engine(wanted: Any) -> None:
    """The engine's lines are those of all connections, and go to ``logging.getLogger("sockline")``: ``True`` has them shown,
    another logger gets them too.
    """
    if wanted is None or wanted is False:
        return
    if wanted is True:
        chosen_logger(True, engine_logger)
    elif not any(isinstance(handler, _To) and handler.logger is wanted for handler in engine_logger.handlers):
        engine_logger.addHandler(_To(wanted))
        if engine_logger.level == logging.NOTSET:
            engine_logger.setLevel(wanted.getEffectiveLevel() if hasattr(wanted, "getEffectiveLevel") else logging.INFO)
    follow_level()


class _To(logging.Handler):
    """Hands lines on to a logger, or to what has only its methods."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self.logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.logger.error("%s", record.getMessage())
        elif record.levelno >= logging.WARNING:
            self.logger.warning("%s", record.getMessage())
        elif record.levelno >= logging.INFO:
            self.logger.info("%s", record.getMessage())
        else:
            self.logger.debug("%s", record.getMessage())
