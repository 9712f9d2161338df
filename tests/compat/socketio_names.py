"""What of python-socketio is here."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from typing import Any

import engineio
import socketio as foreign

from sockline import socketio
from tables import MISSING, SUPPORTED, Name, Section, difference, members, module_names, names_of, public, tried

CLASSES = [name for name in public(foreign) if inspect.isclass(getattr(foreign, name))]

NAMESPACES = ("AsyncClientNamespace", "AsyncNamespace", "ClientNamespace", "Namespace")

ENGINE = {"Client": engineio.Client, "AsyncClient": engineio.AsyncClient}
ENGINE |= {"Server": engineio.Server, "AsyncServer": engineio.AsyncServer}
"""Whose options the constructors take as well."""

TAKEN_OVER = {"async_handlers", "json", "handle_sigint", "logger"}
"""Options of engineio's that python-socketio sets itself, or has another name for."""

APPLICATIONS = ("ASGIApp", "Middleware", "WSGIApp")

MANAGERS = "AsyncAioPikaManager AsyncManager KafkaManager KombuManager Manager PubSubManager ZmqManager".split()

CALLED: dict[str, Any] = {name: (getattr(socketio, name), ()) for name in MANAGERS}
CALLED["get_tornado_handler"] = (socketio.get_tornado_handler, (None,))
"""What is here in order to say in words that it is not."""

def sections() -> list[Section]:
    found = [top(), modules(), module_names(foreign.exceptions, socketio.exceptions, "socketio.exceptions")]
    found += [module_names(foreign.packet, socketio.packet, "socketio.packet")]
    found += [options(name) for name in ENGINE]
    found += [of_class(name) for name in CLASSES if name not in CALLED and hasattr(socketio, name)]
    return found


def top() -> Section:
    """Names of the package itself, and what making an object of a class takes."""
    names = []
    for name in public(foreign):
        theirs = getattr(foreign, name)
        if inspect.ismodule(theirs):
            continue
        if name in CALLED:
            call, arguments = CALLED[name]
            names.append(tried(name, lambda: call(*arguments)))
        elif not hasattr(socketio, name):
            names.append(Name(name, MISSING))
        else:
            names.append(Name(name, SUPPORTED, difference(theirs, getattr(socketio, name))))
    known = set(public(foreign))
    return Section("socketio", names, [name for name in names_of(socketio) if name not in known])


def modules() -> Section:
    listed = [module.name for module in pkgutil.walk_packages(foreign.__path__, "socketio.")]
    here = {name: importlib.util.find_spec(f"sockline.{name}") is not None for name in listed}
    return Section("Modules", [Name(name, SUPPORTED if here[name] else MISSING) for name in listed])


def options(name: str) -> Section:
    """Arguments of a constructor, with those that go on to engineio: each is tried with its default."""
    make = getattr(socketio, name)
    own = inspect.signature(getattr(foreign, name)).parameters
    passed = inspect.signature(ENGINE[name]).parameters
    taken = [one for one in passed.values() if one.name not in TAKEN_OVER]
    names = []
    for one in [*own.values(), *taken, *EXTRA[name]]:
        if one.kind == one.VAR_KEYWORD:
            continue
        outcome = tried(one.name, lambda: make(**{one.name: one.default}))
        named = inspect.signature(make).parameters.get(one.name, one)
        if named.default != one.default:
            outcome.difference = f"the default is {named.default!r}"
        names.append(outcome)
    return Section(f"Arguments of `{name}`", names)


def _option(name: str, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)


LOGGER = _option("engineio_logger", False)
OF_SERVERS = [_option("serializer", "default"), _option("always_connect", False), LOGGER]
EXTRA: dict[str, list[inspect.Parameter]] = {
    "Client": [LOGGER],
    "AsyncClient": [LOGGER],
    "Server": [LOGGER],
    "AsyncServer": OF_SERVERS,
}
"""What is documented, and taken by `**kwargs`."""


def of_class(name: str) -> Section:
    """The methods of a class and the attributes of its objects."""
    arguments: tuple[Any, ...] = ("/",) if name in NAMESPACES else (None,) if name in APPLICATIONS else ()
    theirs, ours = getattr(foreign, name), getattr(socketio, name)
    section = members(theirs(*arguments), ours(*arguments), name)
    options = set(inspect.signature(theirs).parameters)
    # What an option was is said there.
    section.names = [one for one in section.names if one.name not in options or one.found == SUPPORTED]
    section.added = [one for one in section.added if hasattr(ours, one)]
    return section
