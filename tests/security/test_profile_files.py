"""A file of profiles that would let claims start anything: refused before the server starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.command import tmws
from tmws.domain.errors import InvalidInput
from tmws.domain.profile_files import read_profiles

EXECUTABLES = (
    "sh", "./sh", "bin/sh", "/bin/sh", "/workspace/tool", "/proc/1/exe", "/proc/self/exe",
    "/usr/bin/../../tmp/tool", "/usr/bin//env", "/usr/bin/", "/opt/tmws/init.py",
    "/opt/environment",
    "/usr/bin/env", "/usr/bin/xargs", "/usr/bin/find", "/usr/bin/timeout", "/usr/bin/nice",
    "/usr/bin/sed", "/usr/bin/mawk", "/usr/bin/awk", "/usr/bin/tar", "/usr/bin/apt-get",
    "/usr/bin/nsenter", "/opt/environment/bin/git", "/usr/local/bin/npm", "/usr/bin/dd",
    "/lib64/ld-linux-x86-64.so.2", "/usr/bin/split", "/usr/bin/stdbuf", "/usr/bin/ENV",
)  # fmt: skip
INTERPRETERS = (
    "/usr/bin/sh", "/usr/bin/dash", "/usr/bin/bash", "/usr/bin/python3", "/usr/bin/python3.11",
    "/opt/tmws/python", "/usr/local/bin/python3.11", "/usr/bin/perl5.36.0", "/usr/bin/node",
    "/opt/environment/bin/nodejs", "/usr/bin/ruby", "/usr/bin/busybox", "/usr/bin/php8.2",
)  # fmt: skip
FREE_HANDS: tuple[list[str], ...] = (
    [], ["-c", "import os"], ["-c"], ["-"], ["-I", "-c", "pass"], ["-m", "pip"], ["-I", "-m", "os"],
    ["-e", "1"], ["/workspace/x.py"], ["x.py"], ["-I", "x.py"], ["/proc/1/root/x.py"],
    ["-i", "/opt/tools/x"], ["/opt/tools/../../workspace/x.py"], ["-X", "dev", "/opt/tools/x.py"],
    ["--", "/opt/tools/x.py"],
)  # fmt: skip
TOOL = 'executable = "/opt/tools/bin/tool"'
BROKEN = (
    "", "module = 1", "module = 'os; x'", "module = '-c'", "module = '..x'",
    f"{TOOL}\nmodule = 'flake8'", f"{TOOL}\nprefix = 'run'", f"{TOOL}\nprefix = ['']",
    f"{TOOL}\nprefix = [1]", f"{TOOL}\nprefix = [\"a\\u0000\"]", f"{TOOL}\nprefix = [\"\\u202e\"]",
    f"{TOOL}\nlevel = 'pinned'", f"{TOOL}\nlevel = 'independent'", f"{TOOL}\nlevel = ''",
    f"{TOOL}\npasses = []", f"{TOOL}\npasses = [126]", f"{TOOL}\npasses = [true]",
    f"{TOOL}\npasses = [1]", f"{TOOL}\nfails = [0]", f"{TOOL}\nfails = '1'",
    f"{TOOL}\nseconds = 0", f"{TOOL}\nseconds = 3601", f"{TOOL}\nseconds = true",
    f"{TOOL}\nmemory_mib = 1", f"{TOOL}\nshell = true", f"{TOOL}\ntargets = 'all'",
    f"{TOOL}\nsuffixes = ['py']", f"{TOOL}\nsettings = ['../x']", f"{TOOL}\nsettings = ['a', 'a']",
    f"{TOOL}\noptions = 1", f"{TOOL}\noptions.x = 1", f"{TOOL}\noptions.x.kind = 'text'",
    f"{TOOL}\noptions.x = {{}}", f"{TOOL}\noptions.X.kind = 'flag'",
    f"{TOOL}\noptions.x = {{kind = 'choice'}}", f"{TOOL}\noptions.x = {{kind = 'integer'}}",
    f"{TOOL}\noptions.x = {{kind = 'choice', choices = ['-p']}}",
    f"{TOOL}\noptions.x = {{kind = 'choice', choices = ['a b']}}",
    f"{TOOL}\noptions.x = {{kind = 'choice', choices = ['@x']}}",
    f"{TOOL}\noptions.x = {{kind = 'flag', word = 'x'}}",
    f"{TOOL}\noptions.x = {{kind = 'flag', word = '--x=y'}}",
    f"{TOOL}\noptions.x = {{kind = 'flag', word = '--x y'}}",
    f"{TOOL}\noptions.x = {{kind = 'flag', separate = true}}",
    f"{TOOL}\noptions.x = {{kind = 'flag', least = 1}}",
    f"{TOOL}\noptions.x = {{kind = 'integer', least = 5, most = 1}}",
    f"{TOOL}\noptions.x = {{kind = 'integer', least = -5, most = 1, separate = true}}",
    f"{TOOL}\noptions.x = {{kind = 'integer', least = 1.5, most = 2}}",
)  # fmt: skip
NAMES = (
    "pytest", "python", "ruff", "node", "npm", "held", "coverage", "metric", "tool", "X", "a b",
    "-x", "a/b", "\u00e9", "x" * 33, "",
)  # fmt: skip


def profile(content: str, name: str = "extra") -> str:
    return f"[profiles.{json.dumps(name)}]\n{content}\n"


@pytest.mark.parametrize("executable", EXECUTABLES)
def test_a_program_that_starts_others_or_lies_elsewhere_is_refused(executable: str) -> None:
    with pytest.raises(InvalidInput, match="TMWS_PROFILES: executable of profile 'extra'"):
        read_profiles(profile(f"executable = {json.dumps(executable)}"))


@pytest.mark.parametrize("executable", INTERPRETERS)
def test_an_interpreter_is_refused_without_one_script_of_the_image(executable: str) -> None:
    for prefix in FREE_HANDS:
        with pytest.raises(InvalidInput, match="TMWS_PROFILES: prefix"):
            read_profiles(profile(f"executable = '{executable}'\nprefix = {json.dumps(prefix)}"))
    fixed = ["-I", "/opt/environment/tool/main.py", "--strict"]
    added = read_profiles(profile(f"executable = '{executable}'\nprefix = {json.dumps(fixed)}"))
    assert added.every[0].prefix == (executable, *fixed)


@pytest.mark.parametrize("content", BROKEN)
def test_a_profile_that_is_not_understood_is_refused_as_a_whole(content: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_profiles(profile(TOOL, "good") + profile(content))
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_no_profile_takes_the_name_of_a_built_in_one(name: str) -> None:
    with pytest.raises(InvalidInput, match="TMWS_PROFILES: name"):
        read_profiles(profile(TOOL, name))


@pytest.mark.parametrize(
    "text",
    ["profiles = 1", "[profile.x]", "x = 1", "[profiles]\nx = 1", "[", "[profiles.x]\n" * 2,
     "profiles = []", "x" * 300_000],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_profiles(text)


def test_there_are_bounds_on_profiles_and_options() -> None:
    with pytest.raises(InvalidInput, match="limit is 32"):
        read_profiles("".join(profile(TOOL, f"p{number}") for number in range(33)))
    options = "".join(f"\noptions.o{number}.kind = 'flag'" for number in range(17))
    with pytest.raises(InvalidInput, match="at most 16"):
        read_profiles(profile(TOOL + options))


def test_no_command_starts_on_a_file_that_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    data = tmp_path / "data"
    file.write_text(profile("executable = '/bin/sh'"))
    refused = tmws("tools", "list", data=data, TMWS_PROFILES=str(file))
    assert refused.status != 0
    assert "TMWS_PROFILES: executable of profile 'extra' is '/bin/sh'" in refused.errors

    file.write_text(profile(TOOL))
    file.chmod(0o666)
    assert "chmod o-w" in tmws("tools", "list", data=data, TMWS_PROFILES=str(file)).errors
    assert not data.exists() or not list(data.glob("*.db"))

    gone = tmws("tools", "list", data=data, TMWS_PROFILES=str(tmp_path / "gone"))
    assert "cannot be read" in gone.errors

    file.chmod(0o644)
    listed = tmws("sandbox", "profiles", "--json", data=data, TMWS_PROFILES=str(file))
    rows = {row["profile"]: row for row in listed.document()}
    assert {"pytest", "ruff", "extra"} <= rows.keys()
    assert rows["extra"]["form"] == "extra [PATH ...]"
    assert rows["extra"]["level"] == "at most reproduced"
