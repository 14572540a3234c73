"""Where the files of the sandbox image lie: in the source tree, or in the package."""

from __future__ import annotations

import functools
from pathlib import Path

import tmws
from tmws.domain.errors import SandboxUnavailable

_PACKAGE = Path(tmws.__file__).parent


@functools.cache
def image_folder() -> Path:
    """Return the folder with the Dockerfile, the locks and the seccomp profile.

    An installed package carries it as `tmws/_sandbox_image`; a source tree keeps it
    beside `src`.

    Raises:
        SandboxUnavailable: the installation lacks it.
    """
    for folder in (_PACKAGE / "_sandbox_image", _PACKAGE.parent.parent / "sandbox_image"):
        if (folder / "Dockerfile").is_file():
            return folder
    raise SandboxUnavailable(
        "This installation lacks the files of the sandbox image. Install tmws again from a "
        "complete wheel or source tree.",
        retryable=False,
    )
