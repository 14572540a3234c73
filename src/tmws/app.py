"""The only wiring: settings become backends, backends become services."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from tmws import backends
from tmws.config import Settings
from tmws.domain.added_profiles import NONE_ADDED, AddedProfiles
from tmws.domain.claims import Level
from tmws.domain.errors import BackendUnavailable, InvalidInput, LedgerCorrupt
from tmws.domain.execution import MEBIBYTE, Limits
from tmws.domain.profile_files import MAX_FILE_BYTES, read_profiles
from tmws.domain.quotas import Quota
from tmws.domain.ranking import Arm, weighing
from tmws.ports import Clock, Embedder, ModelPlace, Recipe, Sandbox, Signer
from tmws.services import custody
from tmws.services.acts import Acts
from tmws.services.agents import Agents
from tmws.services.analytics import Analytics
from tmws.services.audit import Audit
from tmws.services.batches import Batches
from tmws.services.checkers import Checkers
from tmws.services.checking import Checker
from tmws.services.copying import Copying
from tmws.services.corrections import Corrections
from tmws.services.environments import Environments
from tmws.services.exports import Exports
from tmws.services.gate import Gate
from tmws.services.held_checks import HeldChecks
from tmws.services.learning import Learning
from tmws.services.levels import Levels
from tmws.services.memory import Memory
from tmws.services.models import Models
from tmws.services.nearest import Nearest
from tmws.services.notary import Notary
from tmws.services.outcomes import Outcomes
from tmws.services.proofs import Proofs
from tmws.services.quotas import Quotas, Unbounded
from tmws.services.receipts import Receipts
from tmws.services.recommendation import Recommendation
from tmws.services.recording import Recorder
from tmws.services.reliance import Reliance
from tmws.services.removal import Removal
from tmws.services.retirement import Retirement
from tmws.services.revisions import Revisions
from tmws.services.running import Running
from tmws.services.search import Search
from tmws.services.sharing import Sharing
from tmws.services.storing import Storing
from tmws.services.switches import Switches
from tmws.services.transfer import Transfer
from tmws.services.trust import Trust
from tmws.services.trusted_refs import TrustedRefs
from tmws.services.undo import Undo
from tmws.services.upkeep import Upkeep
from tmws.services.verification import Verification
from tmws.services.workspaces import Workspaces
from tmws.storage.database import Database
from tmws.storage.migrations import upgrade

_log = structlog.get_logger()


class SystemClock:
    """The machine's time, in UTC."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class App:
    """Everything a face may call."""

    settings: Settings
    agents: Agents
    learning: Learning
    batches: Batches
    transfer: Transfer
    quotas: Quotas
    outcomes: Outcomes
    receipts: Receipts
    recommendation: Recommendation
    revisions: Revisions
    sharing: Sharing
    removal: Removal
    undo: Undo
    analytics: Analytics
    verification: Verification
    trust: Trust
    reliance: Reliance
    corrections: Corrections
    copying: Copying
    memory: Memory
    tools: Switches
    levels: Levels
    trusted_refs: TrustedRefs
    held_checks: HeldChecks
    checkers: Checkers
    workspaces: Workspaces
    environments: Environments
    audit: Audit
    proofs: Proofs
    exports: Exports
    models: Models
    upkeep: Upkeep
    sandbox: Sandbox
    profiles: AddedProfiles


@contextlib.asynccontextmanager
async def open_app(
    settings: Settings, *, sandbox: Sandbox | None = None, clock: Clock | None = None
) -> AsyncIterator[App]:
    """Open the store and yield the services; close everything in reverse order.

    Args:
        sandbox, clock: to be used instead of what the settings name.

    Raises:
        BackendUnavailable: the data folder, the key or the database cannot be used.
        InvalidInput: the file of profiles is refused.
    """
    _make_data_folder(settings)
    added = added_profiles(settings)
    database = Database(settings.url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.aclose)
        await upgrade(database)
        await custody.require_key(database, settings.key_file)
        signer: Signer = backends.find("signing", "file")(settings.key_file)
        refusal = await custody.refusal(database, signer, settings.key_file)
        sandbox = sandbox or _sandbox(settings)
        stack.push_async_callback(sandbox.aclose)
        if (modules := _modules(settings)) is not None:
            stack.push_async_callback(modules.aclose)
        nearest = _nearest(settings)
        stack.push_async_callback(nearest.aclose)
        clock = clock or SystemClock()
        models = Models(database, recipes(settings), embedder_maker(settings), clock)
        stack.push_async_callback(models.aclose)
        receipts = Receipts(database, clock, secrets.token_bytes)
        stack.push_async_callback(receipts.settle)
        app = _app(
            settings,
            database,
            sandbox=sandbox,
            modules=modules,
            nearest=nearest,
            models=models,
            receipts=receipts,
            clock=clock,
            signer=signer,
            refusal=refusal,
            added=added,
        )
        stack.push_async_callback(app.verification.aclose)
        try:
            await app.corrections.catch_up()
        except LedgerCorrupt as error:
            # Not the end: whoever wants to know why has to be able to start.
            _log.error("trust_not_computed_anew", reason=error.message)
        yield app


def _sandbox(settings: Settings) -> Sandbox:
    backend = backends.find("sandbox", settings.sandbox)
    image = {"image": settings.sandbox_image} if settings.sandbox_image else {}
    sandbox: Sandbox = backend(pool_size=settings.warm_slots, **image)
    return sandbox


def _modules(settings: Settings) -> Sandbox | None:
    if settings.checkers == "off":
        return None
    modules: Sandbox = backends.find("checkers", settings.checkers)()
    return modules


def added_profiles(settings: Settings) -> AddedProfiles:
    """Return the profiles that the administrator's file adds to the built-in ones.

    Raises:
        InvalidInput: the file is missing, may be written by anybody, or breaks a rule.
    """
    if (path := settings.profiles) is None:
        return NONE_ADDED
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
                raise InvalidInput(f"TMWS_PROFILES: anybody may write {path}. Run 'chmod o-w'.")
            return read_profiles(file.read(MAX_FILE_BYTES + 1))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(f"TMWS_PROFILES: {path} cannot be read: {reason}.") from error


def _nearest(settings: Settings) -> Nearest:
    exact = backends.deferred("vectors", "exact")
    if settings.vectors == "exact":
        return Nearest(exact)
    folder = settings.data_dir / "vectors" / settings.vectors
    address = settings.vectors_address
    return Nearest(
        exact,
        backends.deferred("vectors", settings.vectors, folder=folder, address=address),
        seconds=settings.vectors_seconds,
    )


def _app(
    settings: Settings,
    database: Database,
    *,
    sandbox: Sandbox,
    modules: Sandbox | None,
    nearest: Nearest,
    models: Models,
    receipts: Receipts,
    clock: Clock,
    signer: Signer,
    refusal: str | None,
    added: AddedProfiles,
) -> App:
    chance = secrets.token_bytes
    checkpoints = backends.find("checkpoints", "file")(settings.checkpoint_file)
    reader = backends.find("workspaces", "directory")()
    search = Search(models, nearest, among=weighing(settings.meaning_weight))
    gate = Gate(database)
    notary = Notary(signer, checkpoints, chance, refusal=refusal)
    acts = Acts(database, notary, clock, chance)
    quota = Quota(settings.agent_mib * MEBIBYTE, settings.agent_daily_writes)
    quotas = Quotas(database, quota, clock)
    storing = Storing(database, search, quotas, clock, chance)
    importing = Storing(database, search, Unbounded(), clock, chance)
    limits = Limits(
        wall_seconds=settings.check_seconds, memory_bytes=settings.check_memory_mib * MEBIBYTE
    )
    checker = Checker(sandbox, limits, chance, added, modules=modules)
    recorder = Recorder(database, notary=notary, search=search, clock=clock, chance=chance)
    return App(
        settings=settings,
        agents=Agents(database, gate, notary, clock, chance),
        learning=Learning(
            database, gate=gate, search=search, storing=storing, receipts=receipts, clock=clock
        ),
        batches=Batches(gate, storing),
        transfer=Transfer(database, importing, search),
        receipts=receipts,
        quotas=quotas,
        outcomes=Outcomes(
            database,
            gate=gate,
            search=search,
            receipts=receipts,
            quotas=quotas,
            clock=clock,
            chance=chance,
        ),
        recommendation=Recommendation(
            database,
            gate=gate,
            search=search,
            receipts=receipts,
            clock=clock,
            chance=chance,
            holdout=settings.holdout_share,
        ),
        revisions=Revisions(
            database, gate=gate, acts=acts, search=search, quotas=quotas, clock=clock
        ),
        sharing=Sharing(database, gate, acts, quotas),
        removal=Removal(database, gate, acts, search, quotas),
        undo=Undo(database, acts, search),
        analytics=Analytics(database, gate, clock),
        verification=Verification(
            database,
            gate=gate,
            checker=checker,
            running=Running(
                database,
                checker=checker,
                recorder=recorder,
                clock=clock,
                places=os.cpu_count() or 1,
            ),
            reader=reader,
            quotas=quotas,
            least=Level(settings.least_level),
            clock=clock,
            chance=chance,
        ),
        trust=Trust(database, gate, clock, chance),
        reliance=Reliance(
            database, gate=gate, notary=notary, quotas=quotas, clock=clock, chance=chance
        ),
        corrections=Corrections(database, notary, clock),
        copying=Copying(database, notary),
        memory=Memory(database, gate, acts, search, quotas=quotas, clock=clock, chance=chance),
        tools=Switches(database, notary, clock),
        levels=Levels(database, notary, clock),
        trusted_refs=TrustedRefs(
            database,
            notary,
            reader=reader,
            commits=backends.find("workspaces", "git")(),
            clock=clock,
        ),
        held_checks=HeldChecks(database, notary, clock, chance),
        checkers=Checkers(database, notary, clock, modules),
        workspaces=Workspaces(database, notary, reader, clock),
        environments=Environments(database, notary, clock),
        audit=Audit(database, signer, checkpoints),
        proofs=Proofs(database),
        exports=Exports(database, notary),
        models=models,
        upkeep=Upkeep(database, models, nearest, Retirement(database, models, clock), clock),
        sandbox=sandbox,
        profiles=added,
    )


def recipes(settings: Settings) -> dict[Arm, Recipe]:
    """Spelling is always compared; meaning where a language model was chosen."""
    chosen = {Arm.CHARACTERS: Recipe("hashing")}
    if settings.embedder == "openai":
        chosen[Arm.MEANING] = Recipe("openai", settings.embedder_model, settings.embedder_dimension)
    elif settings.embedder != "hashing":
        backends.deferred("embeddings", settings.embedder)  # an unknown name is refused at once
        chosen[Arm.MEANING] = Recipe(settings.embedder)
    return chosen


def embedder_maker(settings: Settings) -> Callable[[Recipe], Embedder]:
    """Return what makes the embedder of any recipe, with the settings of this process."""
    key = settings.embedder_key

    def make(recipe: Recipe) -> Embedder:
        place = ModelPlace(
            settings.model_folder(recipe.backend),
            device=settings.embedder_device,
            url=settings.embedder_url,
            model=recipe.model,
            dimension=recipe.dimension,
            key=key.get_secret_value() if key else None,
            seconds=settings.embedder_seconds,
        )
        embedder: Embedder = backends.deferred("embeddings", recipe.backend, place=place)()
        return embedder

    return make


def _make_data_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackendUnavailable(
            f"The data folder {settings.data_dir} cannot be made: {error.strerror}. "
            "Choose another by TMWS_DATA_DIR.",
            retryable=False,
        ) from error
    if not os.access(settings.data_dir, os.R_OK | os.X_OK):
        raise BackendUnavailable(
            f"The data folder {settings.data_dir} may not be read by this user. Run tmws as its "
            "owner, or choose another folder by TMWS_DATA_DIR.",
            retryable=False,
        )
