#!/bin/bash
# Make a fresh virtual environment holding exactly what a lock file lists.
# usage: python-env.sh VENV LOCK
set -euo pipefail
venv=$1 lock=$2

say() { printf '%s\n' "$*" >&2; }

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  say "TMWS needs Python 3.11 or newer; none is on the PATH. Install one, then run make again."
  return 1
}

# Debian ships Python without the modules that make environments.
can_make_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

install_venv_module() {
  local package told
  package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "$1 cannot make virtual environments. As root: apt-get install $package. Then run make again."
    return 1
  fi
  say "$1 lacks venv: installing $package"
  export DEBIAN_FRONTEND=noninteractive
  told=$(apt-get update -qq 2>&1 && apt-get install -qq -y -o DPkg::Lock::Timeout=300 \
    --no-install-recommends "$package" 2>&1) || { say "$told"; return 1; }
}

python=$(find_python)
can_make_environments "$python" || install_venv_module "$python"

say "installing the packages of $lock into $venv (about half a minute)"
"$python" -m venv --clear "$venv"
# Wheels only: nothing that is downloaded runs code while it is installed.
"$venv/bin/pip" install --quiet --quiet --no-input --disable-pip-version-check --no-deps \
  --require-hashes --only-binary :all: --requirement "$lock"
