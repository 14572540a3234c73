"""What a lock may say: exact versions with hashes, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.environments import environment, requirements
from tmws.domain.errors import InvalidInput

HASH = "--hash=sha256:" + "ab" * 32
LOCK = f"""# made by a tool
attrs==26.1.0 \\
    {HASH} \\
    --hash=sha256:{"cd" * 32}
    # via app
python-dateutil==4.0.0 ; python_version < '3.12' {HASH}
zope.interface[test]==8.0 {HASH}  # a remark
"""


def test_a_lock_names_its_packages() -> None:
    assert requirements(LOCK) == ("attrs", "python-dateutil", "zope.interface")


@pytest.mark.parametrize(
    "line",
    [
        "attrs", "attrs==1.0", f"attrs>=1.0 {HASH}", f"attrs {HASH}", "attrs==1.0 --hash=md5:ab",
        "attrs==1.0 --hash=sha256:ab", "-r other.txt", "-e .", "--index-url http://x/simple",
        "--extra-index-url=http://x", "--find-links /tmp", "--no-binary :all:", "--pre",
        "--trusted-host x", f"git+https://x/y {HASH}", f"attrs @ file:///tmp/x.whl {HASH}",
        f"./attrs.whl {HASH}", f"attrs==1.0 {HASH} --config-settings=x=y", f"-c x {HASH}",
        f"attrs==1.0 {HASH}; evil", f"attrs==$(id) {HASH}", f"attrs==1.0 {HASH} --global-option=x",
        f"--hash=sha256:{'ab' * 32}", f"attrs==1.0 {HASH}\x00",
        "\N{CYRILLIC SMALL LETTER A}ttrs==1",
        f"attrs==1.0 ; x\n--pre {HASH}",
    ],
)  # fmt: skip
def test_a_line_that_is_no_locked_package_is_refused_with_the_form(line: str) -> None:
    with pytest.raises(InvalidInput, match="name==version --hash=sha256") as refusal:
        requirements(f"{LOCK}{line}\n")
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) <= 300


def test_an_empty_and_an_endless_lock_are_refused() -> None:
    for lock in ("", "# nothing\n", LOCK * 5000):
        with pytest.raises(InvalidInput):
            requirements(lock)


@given(st.text(max_size=60))
def test_no_line_passes_by_chance(line: str) -> None:
    try:
        names = requirements(line)
    except InvalidInput:
        return
    assert all("==" in part and "--hash=sha256:" in part for part in line.splitlines() if part)
    assert names


def test_the_digest_changes_with_the_lock_and_the_plugins() -> None:
    made = [
        environment("science", LOCK),
        environment("science", LOCK + "\n# another remark\n"),
        environment("science", LOCK, ["pytest_asyncio"]),
        environment("science", LOCK, ["pytest_asyncio", "pytest_mock"]),
    ]

    assert len({one.digest for one in made}) == 4
    assert environment("science", LOCK) == made[0]
    assert environment("other", LOCK).digest == made[0].digest


@pytest.mark.parametrize("plugin", ["", "-p", "a b", "../x", "pytest-asyncio", "a..b", "A", "a;b"])
def test_a_plugin_that_is_no_module_is_refused(plugin: str) -> None:
    with pytest.raises(InvalidInput, match="plugin"):
        environment("science", LOCK, [plugin])
