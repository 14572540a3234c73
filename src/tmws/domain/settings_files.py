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
    file = snapshot.file(path)
    if file is None:
        return {}
    try:
        text = file.content.decode("utf-8")
        if path.endswith(".toml"):
            return tomllib.loads(text)
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, configparser.Error, RecursionError):
        return {}
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
