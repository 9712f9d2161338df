#!/bin/sh
# Makes the Python 2.7 environment of Autobahn|Testsuite in .tools/autobahn of the checkout.
# It needs Python 2.7 (named by $PY27, or among pyenv's versions), Python 3 with pip, and a C compiler.
# Running it again does nothing until requirements.txt changes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$here/../.." && pwd)/.tools/autobahn
stamp=$tools/requirements.txt

find_python27() {
    if [ -n "${PY27:-}" ]; then
        echo "$PY27"
        return
    fi
    for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7 "$(command -v python2.7 || true)"; do
        if [ -x "$python" ]; then
            echo "$python"
            return
        fi
    done
}

if cmp -s "$here/requirements.txt" "$stamp"; then
    exit 0
fi

python27=$(find_python27)
version=$([ -z "$python27" ] || "$python27" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
if [ "$version" != 2.7 ]; then
    cat >&2 <<MESSAGE
Autobahn|Testsuite needs Python 2.7, and '${python27:-python2.7}' is not one.
Set PY27 to the path of a Python 2.7 interpreter, or install one with: pyenv install 2.7.18
(The suite is also in the Docker image crossbario/autobahn-testsuite.)
MESSAGE
    exit 1
fi

rm -rf "$tools"
mkdir -p "$tools"
# 20.15.1 is the last virtualenv that can make environments for Python 2.7.
python3 -m pip install --quiet --disable-pip-version-check --target "$tools/virtualenv" virtualenv==20.15.1
PYTHONPATH=$tools/virtualenv python3 -m virtualenv --quiet --no-periodic-update --python "$python27" "$tools/env"
"$tools/env/bin/python" -m pip install --quiet --disable-pip-version-check --no-python-version-warning \
    --requirement "$here/requirements.txt"
cp "$here/requirements.txt" "$stamp"
