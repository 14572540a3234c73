"""Settings: every one from the environment, none by mistake, no secret in sight."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from tmws import backends
from tmws.config import Settings, load_settings
from tmws.domain.errors import InvalidInput

README = Path(__file__).parents[2] / "README.md"
Given = Callable[..., Settings]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Load the settings from an environment that holds these and no other of ours."""

    def load(**environment: str) -> Settings:
        for name in [name for name in os.environ if name.upper().startswith("TMWS_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


def test_every_setting_has_a_default(given: Given) -> None:
    settings = given()
    assert settings.data_dir.is_absolute()
    assert settings.url == f"sqlite:///{settings.data_dir / 'tmws.db'}"
    assert settings.agent_secret is None


def test_the_environment_gives_the_values(given: Given, tmp_path: Path) -> None:
    settings = given(TMWS_DATA_DIR=str(tmp_path), TMWS_CHECK_SECONDS="5", TMWS_LOG_LEVEL="debug")
    assert settings.data_dir == tmp_path
    assert settings.check_seconds == 5.0
    assert settings.log_level == "debug"


def test_the_readme_lists_every_setting_once_with_its_default() -> None:
    rows = re.findall(r"^\| (`TMWS_.*?) \|(.*?)\| .+ \|$", README.read_text(), re.MULTILINE)
    told = [(name, default) for names, default in rows for name in re.findall(r"\w+", names)]
    assert sorted(name for name, _ in told) == sorted(
        f"TMWS_{name.upper()}" for name in Settings.model_fields
    )
    for name, default in told:
        known = Settings.model_fields[name.removeprefix("TMWS_").lower()].default
        if isinstance(known, str | int | float):
            written = known if isinstance(known, str) else f"{known:g}"
            assert default.strip(" `") == written, name


def test_a_name_set_to_nothing_means_the_default(given: Given) -> None:
    settings = given(TMWS_DATA_DIR="", TMWS_CHECK_SECONDS="", TMWS_AGENT_ID="")
    assert settings == given()


def test_another_database_is_used_when_it_is_named(given: Given) -> None:
    assert given(TMWS_DATABASE_URL="postgresql://tmws@db/x").url == "postgresql://tmws@db/x"


@pytest.mark.parametrize("name", ["TMWS_CHEK_SECONDS", "TMWS_", "tmws_unknown", "TMWS_URL"])
def test_an_unknown_setting_is_refused_and_the_known_are_named(given: Given, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"Unknown setting {name}.*TMWS_CHECK_SECONDS"):
        given(**{name: "1"})


def test_names_of_others_are_none_of_ours(given: Given) -> None:
    assert given(TMW_X="1", NOT_TMWS_X="1").sandbox == "docker"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TMWS_CHECK_SECONDS", "soon"),
        ("TMWS_CHECK_SECONDS", "0"),
        ("TMWS_CHECK_SECONDS", "nan"),
        ("TMWS_CHECK_MEMORY_MIB", "1"),
        ("TMWS_WARM_SLOTS", "-1"),
        ("TMWS_MEANING_WEIGHT", "0.91"),
        ("TMWS_MEANING_WEIGHT", "0"),
        ("TMWS_MEANING_WEIGHT", "nan"),
        ("TMWS_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_setting(
    given: Given, name: str, value: str
) -> None:
    with pytest.raises(InvalidInput, match=f"Setting {name} is refused"):
        given(**{name: value})


def test_secrets_are_not_shown(given: Given) -> None:
    settings = given(
        TMWS_AGENT_ID="alice",
        TMWS_AGENT_SECRET="tmws_canary",
        TMWS_DATABASE_URL="postgresql://tmws:canary@db/tmws",
    )
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "canary" not in shown


def test_settings_do_not_change_after_the_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ValidationError):
        settings.check_seconds = 9.0  # type: ignore[misc]


def test_a_relative_or_home_folder_becomes_absolute(given: Given) -> None:
    assert given(TMWS_DATA_DIR="~/x", HOME="/srv/ann").data_dir == Path("/srv/ann/x")
    assert given(TMWS_DATA_DIR="x").data_dir == Path.cwd() / "x"


def test_a_backend_that_is_not_installed_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidInput, match=r"No embeddings backend 'word2vec'.*hashing"):
        backends.find("embeddings", "word2vec")
    with pytest.raises(InvalidInput, match="Installed: none"):
        backends.find("no-such-port", "x")


@pytest.mark.parametrize("share", ["-0.1", "0.51", "nan", "inf", "much"])
def test_a_share_that_withholds_more_than_half_or_nonsense_is_refused(
    given: Given, share: str
) -> None:
    assert given().holdout_share == 0.0
    assert given(TMWS_HOLDOUT_SHARE="0.5").holdout_share == 0.5
    with pytest.raises(InvalidInput, match="TMWS_HOLDOUT_SHARE is refused"):
        given(TMWS_HOLDOUT_SHARE=share)
