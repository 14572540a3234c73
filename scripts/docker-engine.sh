#!/bin/sh
# Make sure that a Docker engine answers and that a sandbox image can be built.
#
# Where nothing answers, the user is root and the system is Debian or Ubuntu, this
# installs the distribution's engine and starts it. Anywhere else it says what to
# do and fails. Running it again changes nothing.
set -eu

LOG=${TMWS_DOCKERD_LOG:-/var/log/tmws-dockerd.log}
SOCKET=/var/run/docker.sock
WAIT_SECONDS=60

say() { printf 'docker-engine: %s\n' "$*" >&2; }

answers() {
    command -v docker >/dev/null 2>&1 &&
        docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

is_debian_like() {
    [ -r /etc/os-release ] || return 1
    (. /etc/os-release && case " ${ID:-} ${ID_LIKE:-} " in
        *" debian "* | *" ubuntu "*) exit 0 ;;
        *) exit 1 ;;
    esac)
}

may_install() { [ "$(id -u)" = 0 ] && is_debian_like && command -v apt-get >/dev/null 2>&1; }

# Another program may hold the lock of the packages: a fresh Ubuntu updates itself.
apt() { apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# The first try spares a download where the package lists are new enough.
install() {
    say "installing $* from the distribution's packages"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    told=$(mktemp)
    apt install -y --no-install-recommends "$@" >"$told" 2>&1 ||
        { apt update && apt install -y --no-install-recommends "$@"; } >"$told" 2>&1 || {
        cat "$told" >&2
        rm -f "$told"
        return 1
    }
    rm -f "$told"
}

wait_until_it_answers() {
    waited=0
    until answers; do
        if [ -n "${1:-}" ] && ! kill -0 "$1" 2>/dev/null; then
            say "the engine stopped at once; the end of $LOG:"
            tail -n 20 "$LOG" >&2
            exit 1
        fi
        if [ "$waited" -ge "$WAIT_SECONDS" ]; then
            say "no answer after $WAIT_SECONDS s; see $LOG or 'journalctl -u docker'"
            exit 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

start() {
    if [ -d /run/systemd/system ]; then
        say "starting the engine with systemd"
        systemctl start docker
        wait_until_it_answers
    elif pidof dockerd >/dev/null 2>&1; then
        say "an engine is starting already; waiting for it"
        wait_until_it_answers
    else
        # Checks run without any network, so no bridge and no firewall rules are
        # needed. A docker0 that is already there belongs to somebody: keep it,
        # because '--bridge=none' would delete it.
        network='--bridge=none --iptables=false --ip-forward=false'
        [ ! -e /sys/class/net/docker0 ] || network=
        say "starting dockerd in the background, log in $LOG"
        # shellcheck disable=SC2086
        setsid dockerd $network >>"$LOG" 2>&1 </dev/null &
        wait_until_it_answers $!
    fi
}

explain() {
    cat >&2 <<'TEXT'
docker-engine: no Docker engine answers, and this script may not install one here.
  Debian, Ubuntu: sudo sh scripts/docker-engine.sh && sudo usermod -aG docker "$USER"
                  then log in again, so that the group counts
  Other Linux:    install Docker Engine, start it, and add yourself to the group 'docker'
  macOS, Windows: install Docker Desktop (or colima) and start it
  Elsewhere:      point DOCKER_HOST at an engine that answers 'docker version'
TMWS learns and remembers without it; only checks of claims need the sandbox.
TEXT
    exit 1
}

explain_group() {
    cat >&2 <<'TEXT'
docker-engine: a Docker engine is here, but you are not in the group that may use it.
  sudo usermod -aG docker "$USER", then log in again, so that the group counts.
  Whoever is in that group can become root on this machine; so can whoever may use sudo.
TEXT
    exit 1
}

if ! answers; then
    if [ -n "${DOCKER_HOST:-}" ]; then
        say "DOCKER_HOST=$DOCKER_HOST does not answer; start that engine or unset DOCKER_HOST"
        exit 1
    fi
    [ ! -S "$SOCKET" ] || [ -w "$SOCKET" ] || explain_group
    say 'no Docker engine answers'
    command -v dockerd >/dev/null 2>&1 || { may_install || explain; install docker.io; }
    # Newer releases keep the command line apart from the engine.
    command -v docker >/dev/null 2>&1 || { may_install || explain; install docker-cli; }
    [ "$(id -u)" = 0 ] || explain
    answers || start
fi
say "engine $(docker version --format '{{.Server.Version}}') answers"

# The base of the image is made from Debian packages where that is possible, so
# that no container registry is needed. Whoever is not root needs newuidmap for it.
makes_bases() {
    command -v mmdebstrap >/dev/null 2>&1 || return 1
    [ "$(id -u)${SUDO_USER:-}" = 0 ] || command -v newuidmap >/dev/null 2>&1
}

if ! makes_bases; then
    if may_install; then
        install mmdebstrap debian-archive-keyring uidmap ||
            say 'mmdebstrap could not be installed; the image will use a public base'
    elif is_debian_like; then
        say "if the image cannot be made: 'sudo apt-get install mmdebstrap uidmap', then try again"
    fi
fi
