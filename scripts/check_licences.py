"""Every package that TMWS needs to run has a licence that its users can live with.

Reads the installed metadata of what `requirements.lock` lists, so it says what
is really there and needs no network. Tools for changing TMWS are not shipped
and not judged here.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata

from packaging.requirements import Requirement

from scripts.tracked import ROOT

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib",
}  # fmt: skip

# Named exceptions: package, licence, and why it may stay.
EXCEPTIONS = {
    # Mozilla's list of certificate authorities, used unmodified; MPL binds the file alone.
    "certifi": "MPL-2.0",
    # JSON behind the optional Chroma index; unmodified, and MPL binds its own files alone.
    "orjson": "MPL-2.0 AND (Apache-2.0 OR MIT)",
    # Images behind the plots; MIT in the wording of Carnegie Mellon, OSI-approved.
    "pillow": "MIT-CMU",
    # Progress bars behind the tokenizers of the optional embedder; unmodified.
    "tqdm": "MPL-2.0 AND MIT",
}

# What packages without an SPDX expression write instead, as classifier or free text.
SPELLINGS = {
    "Apache License, Version 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}


def locked_names() -> list[str]:
    """Return the packages of the lock that apply to this interpreter."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pinned = [line.rstrip("\\ ") for line in lines if re.match(r"[A-Za-z0-9]", line)]
    wanted = [Requirement(line) for line in pinned]
    return [need.name for need in wanted if need.marker is None or need.marker.evaluate()]


def licence_of(package: str) -> str:
    """Return an SPDX expression, or the package's own words when it gives none."""
    fields = metadata(package)
    classifiers = [SPELLINGS.get(field, "") for field in fields.get_all("Classifier") or []]
    own_words = [field.splitlines()[0] for field in fields.get_all("License") or [] if field]
    stated = [*(fields.get_all("License-Expression") or []), *filter(None, classifiers), *own_words]
    first = stated[0] if stated else "no licence stated"
    return SPELLINGS.get(first, first)


def acceptable(expression: str) -> bool:
    """Tell whether an SPDX expression leaves at least one choice that is allowed.

    Reads `A OR B` and `A AND B` with AND binding tighter; parentheses and WITH
    make it say no, so that a person looks. One exception was looked at: LLVM's only
    adds to what Apache-2.0 permits (compiled code need not carry the notice).
    """
    return any(
        all(name.strip() in ALLOWED for name in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def main() -> int:
    """Print every licence that is not allowed; return how the process ends."""
    refused = 0
    names = locked_names()
    for name in names:
        try:
            licence = licence_of(name)
        except PackageNotFoundError:
            licence = "not installed"
        if not acceptable(licence) and EXCEPTIONS.get(name) != licence:
            print(f"{name}: licence not on the allow-list: {licence}", file=sys.stderr)
            refused += 1
    if not refused:
        print(f"licences   ok ({len(names)} packages)")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
