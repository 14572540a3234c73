"""What a caller reads when it did not work."""

from __future__ import annotations

from typing import Any

import mcp_types as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.faces.toys import Trace, toys
from tmws.domain.errors import InvalidInput, NotFound, SandboxUnavailable, TmwsError
from tmws.faces.mcp import errors


def text_of(result: wire.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, wire.TextContent)
    assert result.is_error
    assert result.structured_content is None
    return block.text


def test_a_refusal_is_code_and_message() -> None:
    assert text_of(errors.refusal(NotFound("No such claim."))) == "NOT_FOUND: No such claim."


def test_a_retryable_refusal_says_so() -> None:
    text = text_of(errors.refusal(SandboxUnavailable("Docker does not answer.")))
    assert text == ("SANDBOX_UNAVAILABLE: Docker does not answer. It may work when tried again.")


@given(message=st.text(max_size=1000), retryable=st.booleans())
def test_no_refusal_is_longer_than_300_characters(message: str, retryable: bool) -> None:
    text = text_of(errors.refusal(TmwsError(message, retryable=retryable)))
    assert len(text) <= errors.LONGEST
    assert text.startswith("INTERNAL: ")
    assert text.endswith(" It may work when tried again.") is retryable or not retryable


@given(reason=st.text(max_size=1000))
def test_a_disabled_tool_says_what_to_do_however_long_the_reason(reason: str) -> None:
    text = text_of(errors.refusal(errors.disabled("find_patterns", reason)))
    assert text.startswith("TOOL_DISABLED: find_patterns was switched off by an administrator: ")
    assert text.endswith("or ask for it to be enabled.")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(arguments=st.dictionaries(st.text() | st.just("text"), json_values, max_size=6))
def test_refused_arguments_are_named_in_one_printable_line(arguments: dict[str, Any]) -> None:
    echo = toys(Trace()).find("echo")
    assert echo is not None
    with pytest.raises(InvalidInput) as refused:
        echo.parse(arguments | {"surplus\n\u202e": 1})
    assert text_of(errors.refusal(refused.value)).isprintable()


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "\u202egnp.exe"])
def test_a_refused_value_is_never_repeated(secret: str) -> None:
    echo = toys(Trace()).find("echo")
    assert echo is not None
    with pytest.raises(InvalidInput) as refused:
        echo.parse({"text": "hi", "times": secret})
    assert secret not in refused.value.message
