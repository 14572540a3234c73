#!/bin/sh
# Turn extracted Debian packages into the smallest root file system that runs
# Python and a shell: mmdebstrap's extract hook, called with the root folder.
#
# No maintainer script has run (variant "extract"), so what they would have made
# (the account, the shell's link) is made here. Same packages, same bytes: nothing
# written depends on the clock or on the order of a directory.
set -eu
root=$1
cd "$root"

find usr/share -mindepth 1 -maxdepth 1 ! -name zoneinfo -exec rm -rf {} +
find etc -mindepth 1 -maxdepth 1 ! -name apt ! -name 'python3*' ! -name protocols ! -name services \
    -exec rm -rf {} +
rm -rf boot home media mnt opt srv var usr/games usr/include usr/local usr/src usr/sbin/*
rm -rf var/cache var/lib var/log var/backups usr/lib/systemd usr/lib/apt usr/lib/dpkg usr/libexec
rm -f usr/bin/dpkg* usr/bin/deb* usr/bin/perl* usr/bin/tar usr/bin/update-alternatives
(cd usr/lib/python3.11 && rm -rf test idlelib lib2to3/tests ensurepip turtledemo pydoc_data)

mkdir -p etc opt var/tmp tmp workspace proc sys dev run root usr/local/bin
chmod 1777 tmp var/tmp
ln -sf dash usr/bin/sh
ln -sf python3.11 usr/bin/python3
ln -sf python3.11 usr/bin/python
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nsandbox:x:10001:10001::/tmp:/bin/sh\n' >etc/passwd
printf 'root:x:0:\nsandbox:x:10001:\n' >etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >etc/nsswitch.conf
printf 'Etc/UTC\n' >etc/timezone
ln -sf /usr/share/zoneinfo/Etc/UTC etc/localtime

find . -xdev -type f -perm /6000 -exec chmod ug-s {} +

# The root will be read-only, so Python can never cache what it compiles.
PYTHONHASHSEED=0 chroot . /usr/bin/python3.11 -I -m compileall -q -f \
    --invalidation-mode unchecked-hash /usr/lib/python3.11
