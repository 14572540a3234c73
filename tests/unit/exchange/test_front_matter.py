"""The head of a Markdown file: as much of YAML as agents' definitions are written in."""

from __future__ import annotations

import pytest

from tmws.domain.canonical import Json
from tmws.exchange.front_matter import split


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        ("name: reviewer", {"name": "reviewer"}),
        ("name: reviewer # who reads", {"name": "reviewer"}),
        ('name: "a \\"b\\" \\u00e9"', {"name": 'a "b" é'}),
        ('name: "a \\q b"', {"name": "a \\q b"}),
        ("name: 'it''s'", {"name": "it's"}),
        ("name: '", {"name": "'"}),
        ("tools: [Read, 'Bash', ]", {"tools": ["Read", "Bash"]}),
        ("tools:\n  - Read\n  - Bash", {"tools": ["Read", "Bash"]}),
        ("tools:\n- Read\n\n- Bash", {"tools": ["Read", "Bash"]}),
        ("tools: [\n  Read,\n  Bash\n]\nname: a", {"tools": ["Read", "Bash"], "name": "a"}),
        ("globs: ['a/{b,c}.ts', \"d, e\", f]", {"globs": ["a/{b,c}.ts", "d, e", "f"]}),
        ('tools: ["a, b]', {"tools": ['"a', "b"]}),
        ('name: "a # b" # c', {"name": "a # b"}),
        ("tools:", {"tools": ""}),
        ("about: one\n  two", {"about": "one two"}),
        ("about: |\n  one\n    two\n\n  three", {"about": "one\n  two\n\nthree"}),
        ("about: >-\n  one\n  two", {"about": "one two"}),
        ("about: |", {"about": ""}),
        ("name: a\nno field\n# a comment\n{x: 1}\nurl:http\nlast: b", {"name": "a", "last": "b"}),
    ],
)
def test_fields_are_read_and_what_is_none_is_passed_over(
    head: str, fields: dict[str, Json]
) -> None:
    assert split(f"---\n{head}\n---\nbody") == (fields, "body")


@pytest.mark.parametrize("text", ["", "body", "---\nname: a\nno end", "\n---\nname: a\n---\nb"])
def test_without_a_fence_at_its_start_and_its_end_a_text_is_all_body(text: str) -> None:
    assert split(text) == ({}, text)


def test_a_mark_of_the_byte_order_and_dots_for_a_fence_are_taken() -> None:
    assert split("\ufeff--- \nname: a\n...\n\nbody\n") == ({"name": "a"}, "body")


def test_lines_end_where_editors_end_them() -> None:
    """The attack: what only Unicode calls the end of a line, in a text that means it."""
    body = "one\x0ctwo\u2028three\x85four"
    assert split(f"---\nname: a\u2028b\n---\n{body}") == ({"name": "a\u2028b"}, body)
