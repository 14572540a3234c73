#!/bin/bash
# Resolve pyproject.toml into requirements.lock (to run) and requirements-dev.lock (to change).
# The locks hold versions and hashes for every supported Python and platform, and no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.cache/uv
[ -x $tools/bin/uv ] || {
  .venv/bin/python -m venv $tools
  $tools/bin/pip install --quiet --no-input --only-binary :all: 'uv>=0.13,<0.14'
}

resolve() {
  $tools/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-header "$@"
}

resolve --all-extras --output-file requirements.lock
resolve --all-extras --group dev --constraint requirements.lock \
  --output-file requirements-dev.lock
