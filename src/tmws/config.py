"""Settings: read once at start, from the environment, frozen afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tmws.domain.errors import InvalidInput
from tmws.domain.quotas import FEWEST_DAILY_WRITES, MOST_DAILY_WRITES, MOST_MIB
from tmws.domain.ranking import WEIGHTS, Arm
from tmws.domain.verifications import LONGEST_WAIT_SECONDS


class Settings(BaseSettings):
    """Every setting, each from `TMWS_<NAME>`.

    Attributes:
        data_dir: database, keys and checkpoint of the embedded default.
        database_url: `postgresql://…` to leave the embedded SQLite file.
        agent_id, agent_secret: who calls on stdio; without them the local user does.
        sandbox: what runs checks; another package may bring one.
        sandbox_image: name of another image that checks run in than `tmws sandbox build` makes.
        checkers: what runs modules that compute numbers; `off` for nothing.
        warm_slots: containers kept ready for checks; each costs about 20 MiB.
        embedder: `minilm` or `openai` compare meanings too; `hashing` only spelling.
        embedder_device: `cuda` runs `minilm` on a GPU, if onnxruntime can.
        embedder_url, embedder_model, embedder_dimension, embedder_key: of `openai`, any
            server with that interface: `http://127.0.0.1:11434/v1` for Ollama.
        embedder_seconds: how long it may take for one answer.
        meaning_weight: what meaning weighs among the ways in which descriptions are found.
        vectors: `exact` searches all; `chroma` and `pgvector` keep graphs, for very many.
        vectors_url: where the index's server listens: `http://HOST:PORT` of Chroma, or a
            database with pgvector if it is not the store's own.
        vectors_seconds: how long a search waits for that index before exact vectors serve.
        check_seconds: wall time that one check may take.
        least_level: what a verdict has to reach, at least, in any namespace.
        verify_wait_seconds: how long verify_claim waits for a verdict before it answers with
            the claim's id; below the minute after which many clients give up.
        profiles: a file of command profiles beside the built-in ones (TOML).
        holdout_share: share of agents' days on which the pattern that would be recommended
            first is withheld, to measure what it is worth; 0 for never.
        check_memory_mib: memory that one check may use, temporary files included.
        agent_mib: what one agent may keep in patterns, their versions and notes.
        agent_daily_writes: how much one agent may write a day, each pattern, version, note,
            use, claim and act once.
        log_level: the least that goes to stderr.
    """

    model_config = SettingsConfigDict(
        env_prefix="TMWS_",
        # A launcher that sets a name to nothing means the default, not the working folder.
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("tmws"))
    database_url: SecretStr | None = None
    agent_id: str | None = None
    agent_secret: SecretStr | None = None
    sandbox: str = "docker"
    sandbox_image: str | None = None
    checkers: str = "wasm"
    warm_slots: int = Field(default=0, ge=0, le=16)
    check_seconds: float = Field(default=60.0, ge=1.0, le=3600.0)
    verify_wait_seconds: float = Field(default=50.0, ge=0.0, le=LONGEST_WAIT_SECONDS)
    check_memory_mib: int = Field(default=512, ge=64, le=16384)
    least_level: Literal["reproduced", "pinned", "independent"] = "reproduced"
    profiles: Path | None = None
    embedder: str = "hashing"
    embedder_device: Literal["cpu", "cuda"] = "cpu"
    embedder_url: str | None = None
    embedder_model: str | None = None
    embedder_dimension: int | None = Field(default=None, ge=1, le=16_000)
    embedder_key: SecretStr | None = None
    embedder_seconds: float = Field(default=10.0, ge=0.1, le=600.0)
    meaning_weight: float = Field(default=WEIGHTS[Arm.MEANING], ge=0.05, le=0.9)
    vectors: str = "exact"
    vectors_url: SecretStr | None = None
    vectors_seconds: float = Field(default=3.0, ge=0.1, le=600.0)
    holdout_share: float = Field(default=0.0, ge=0.0, le=0.5, allow_inf_nan=False)
    agent_mib: int = Field(default=2048, ge=1, le=MOST_MIB)
    agent_daily_writes: int = Field(default=500_000, ge=FEWEST_DAILY_WRITES, le=MOST_DAILY_WRITES)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    def model_folder(self, backend: str) -> Path:
        """Return where the files of a language model that runs here lie."""
        return self.data_dir / "models" / backend

    @property
    def vectors_address(self) -> str | None:
        """Where the vector index's server listens, None for none."""
        given = self.vectors_url or (self.database_url if self.vectors == "pgvector" else None)
        return given.get_secret_value() if given else None

    @property
    def url(self) -> str:
        """The database that is used: the given one, or a file in the data folder."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.database_file}"

    @property
    def database_file(self) -> Path:
        """Where the embedded default keeps the database."""
        return self.data_dir / "tmws.db"

    @property
    def key_file(self) -> Path:
        """Where the signing key lies."""
        return self.data_dir / "keys" / "ed25519"

    @property
    def checkpoint_file(self) -> Path:
        """Where the newest promise of the ledger lies, outside of the database."""
        return self.data_dir / "ledger" / "checkpoint"


def load_settings() -> Settings:
    """Return the settings that the environment of this process gives.

    Raises:
        InvalidInput: a value breaks its rule, or a `TMWS_` name is unknown: a
            misspelt limit must not silently leave the default in force.
    """
    known = {f"TMWS_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name for name in os.environ if name.upper().startswith("TMWS_") and name not in known
    )
    if unknown:
        raise InvalidInput(f"Unknown setting {unknown[0]}. Known: {', '.join(sorted(known))}.")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "TMWS_" + str(first["loc"][0]).upper()
        raise InvalidInput(f"Setting {name} is refused: {first['msg']}.") from error
