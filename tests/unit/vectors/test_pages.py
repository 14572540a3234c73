"""Large arrays lie in huge pages, and are arrays like any other."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tmws.vectors.pages import empty

MEGABYTE = 1 << 20


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rows", [0, 3, 100_000])
def test_what_is_written_is_read(rows: int, order: Literal["C", "F"]) -> None:
    array = empty((rows, 48), np.float32, order)
    array[:] = np.arange(rows)[:, None]
    assert array.shape == (rows, 48)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous if order == "C" else array.flags.f_contiguous
    assert array.flags.writeable
    assert (array == np.arange(rows)[:, None]).all()


def test_a_large_one_takes_hardly_more_memory_than_its_size() -> None:
    before = resident_bytes()
    array = empty((33 * MEGABYTE + MEGABYTE // 2,), np.int8)
    array[:] = 1
    grown = resident_bytes() - before
    assert 33 * MEGABYTE <= grown <= 37 * MEGABYTE
    del array
    assert resident_bytes() - before <= 2 * MEGABYTE


def test_where_the_kernel_has_no_huge_pages_small_ones_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", 9999)  # what this kernel does not know either
    array = empty((100_000, 48), np.float32)
    array[:] = 1.0
    assert array.sum() == 100_000 * 48


def resident_bytes() -> int:
    told = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert told is not None
    return int(told[1]) * 1024
