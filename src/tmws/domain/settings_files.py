"""Configuration files of a snapshot, as tables."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Mapping
from typing import Any

from tmws.domain.snapshots import Snapshot

Config = Mapping[str, Any]


def read_config(snapshot: Snapshot, path: str) -> Config:
    """Return a configuration file as tables, empty if absent or unreadable."""
    return _read(snapshot, path) or {}


def is_unreadable(snapshot: Snapshot, path: str) -> bool:
    """Tell whether there is such a file and it cannot be read here.

    A tool may read it all the same: a byte order mark before it, a newer TOML.
    """
    return snapshot.file(path) is not None and _read(snapshot, path) is None


def _read(snapshot: Snapshot, path: str) -> Config | None:
    file = snapshot.file(path)
    if file is None:
        return None
    try:
        text = file.content.decode("utf-8")
        if path.endswith(".toml"):
            return tomllib.loads(text)
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, configparser.Error, RecursionError):
        return None
    return {name: dict(parser[name]) for name in parser.sections()}


def table(config: Config, *names: str) -> Config:
    """Return the table below these names, empty if there is none."""
    for name in names:
        value = config.get(name)
        if not isinstance(value, Mapping):
            return {}
        config = value
    return config


def listed(value: object) -> list[Any]:
    """Return a list of a configuration, empty for anything else."""
    return list(value) if isinstance(value, list | tuple) else []
