#!/bin/sh
# Rewrites requirements.lock: all extras, Python 3.11-3.13, every hash, no address. ARGS go to uv (--upgrade).
set -eu
cd "$(dirname "$0")/.."
uv=uv
if [ -x .venv/bin/uv ]; then uv=.venv/bin/uv; fi
header="# Made by \`make lock\`: every package with its hashes, for Python 3.11 to 3.13. Do not edit by hand."
"$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
    --no-header --no-annotate --no-config --all-extras --python-version 3.11 \
    --output-file requirements.lock "$@" pyproject.toml
printf '%s\n' "$header" | cat - requirements.lock >requirements.lock.new
mv requirements.lock.new requirements.lock
