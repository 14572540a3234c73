"""What an administrator does is promised outside the database as soon as it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.integration.services import Installation
from tmws.app import App
from tmws.domain.environments import environment
from tmws.domain.quotas import Allowed

LOCK = "six==1.17.0 --hash=sha256:" + "ab" * 32 + "\n"
ACTS: list[Callable[[App, str], Awaitable[object]]] = [
    lambda app, _: app.agents.create("erin", by="ann"),
    lambda app, _: app.agents.rotate("erin", by="ann"),
    lambda app, _: app.agents.disable("erin", reason="floods us", by="ann"),
    lambda app, _: app.agents.enable("erin", reason="mended", by="ann"),
    lambda app, _: app.agents.allow("erin", Allowed(mib=2), reason="keeps books", by="ann"),
    lambda app, _: app.agents.local(),
    lambda app, _: app.tools.disable("recall", reason="drill", by="ann"),
    lambda app, _: app.tools.enable("recall", reason="done", by="ann"),
    lambda app, root: app.workspaces.add("shop", root, by="ann"),
    lambda app, _: app.environments.add(environment("web", LOCK, []), LOCK, by="ann"),
    lambda app, _: app.workspaces.choose_environment("shop", "web", by="ann"),
    lambda app, _: app.workspaces.remove("shop", reason="sold", by="ann"),
]


async def test_each_act_is_on_the_record_and_promised(app: App, installation: Installation) -> None:
    root, size = installation.workspace(), 0
    for number, act in enumerate(ACTS):
        await act(app, root)
        report = await app.audit.verify()
        assert report.holds, report.problems
        assert size < report.size == report.promised, number
        size = report.size
