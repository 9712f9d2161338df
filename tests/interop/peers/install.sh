#!/bin/sh
# Installs what the foreign peers need: node/node_modules, and a Python environment of their own in .tools/peers of
# the checkout. Running it again does nothing until a lock file or the requirements change.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=$(cd "$here/../../.." && pwd)/.tools/peers

if ! cmp -s "$here/node/package-lock.json" "$here/node/node_modules/.installed-lock"; then
    (cd "$here/node" && npm ci --silent --no-audit --no-fund)
    cp "$here/node/package-lock.json" "$here/node/node_modules/.installed-lock"
fi

if ! cmp -s "$here/python/requirements.txt" "$venv/requirements.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/python/requirements.txt"
    cp "$here/python/requirements.txt" "$venv/requirements.txt"
fi
