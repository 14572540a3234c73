"""Compile Python files with the interpreter that is going to run them.

Runs in a container of the base image while the image is built: a tar with sources on
standard input, a tar with their `.pyc` files on standard output. The root will be
read-only, so what is not compiled here is compiled at every start.

The files are of the unchecked, hash-based kind (PEP 552): equal sources give equal
bytes, and the importer never looks at the sources again.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import sys
import tarfile

# PEP 552: bit 0 says hash-based; bit 1, "check the source", stays off.
UNCHECKED_HASH = (0b01).to_bytes(4, "little")


def compiled(source: bytes, path: str) -> bytes:
    """Return the content of the `.pyc` for a source at this path in the image."""
    code = compile(source, path, "exec", dont_inherit=True)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def main() -> None:
    """Read the sources' tar to its end, then write the tar of what they compile to."""
    results_buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as sources,
        tarfile.open(fileobj=results_buffer, mode="w") as results,
    ):
        for member in sources:
            content = sources.extractfile(member)
            if content is None:
                continue
            path = "/" + member.name
            try:
                data = compiled(content.read(), path)
            except SyntaxError:
                # Test data of a tool may be broken on purpose.
                continue
            entry = tarfile.TarInfo(importlib.util.cache_from_source(member.name))
            entry.size = len(data)
            results.addfile(entry, io.BytesIO(data))
    sys.stdin.buffer.read()
    sys.stdout.buffer.write(results_buffer.getvalue())


main()
