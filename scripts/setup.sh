#!/bin/sh
# Makes .venv exactly as requirements.lock says. Called by make with the wanted interpreter; safe to repeat.
set -eu
cd "$(dirname "$0")/.."
wanted=${1:-python3}
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV || true

# python3 is a default, so it may be replaced by a better one; a named interpreter is a choice, so it may not.
if [ "$wanted" = python3 ]; then
    candidates="python3 python3.13 python3.12 python3.11"
else
    candidates=$wanted
fi

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
version='import sys; print("%d.%d" % sys.version_info[:2])'
python=""
lame=""
for candidate in $candidates; do
    "$candidate" -c "$fits" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
    lame=${lame:-$("$candidate" -c "$version")}
done

if [ -z "$python" ] && [ -n "$lame" ]; then
    echo "holdfast: this Python $lame cannot make a virtual environment; run: apt install python$lame-venv" >&2
    exit 1
elif [ -z "$python" ]; then
    echo "holdfast: needs Python 3.11, 3.12 or 3.13, and '$wanted' is none of them; name one: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
fi

rm -f .venv/.stamp
usable='import sys, pip; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1] or sys.prefix != sys.argv[2])'
if ! .venv/bin/python -c "$usable" "$("$python" -c "$version")" "$(pwd -P)/.venv" >/dev/null 2>&1; then
    "$python" -m venv --clear .venv
fi
echo "holdfast: setting up .venv with $(.venv/bin/python -V) from requirements.lock (a minute or two, once)"

# Nothing un-pinned gets in: every package by hash, and the project built by the pinned backend, without isolation.
pip() { .venv/bin/python -m pip "$@"; }
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
pip install -q --no-compile --require-hashes -r requirements.lock
pip install -q --no-deps --no-build-isolation --editable .

# Without bytecode the first import of ccxt takes seconds, and some hosts never write it. Files for other Pythons fail: fine.
.venv/bin/python -m compileall -qq -j 2 .venv/lib src >/dev/null 2>&1 || true
touch .venv/.stamp
