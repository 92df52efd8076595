#!/bin/sh
# Writes the three lock files from the pins in pyproject.toml.
#
# Usage: tools/lock.sh [--upgrade]   (--upgrade also moves the indirect dependencies)
set -eu

cd "$(dirname "$0")/.."
uv=build/uv/bin/uv

[ -x "$uv" ] || {
    "${PYTHON:-python3}" -m venv --clear build/uv
    build/uv/bin/python -m pip install --quiet --quiet --disable-pip-version-check uv==0.13.9
}

compile() {
    output=$1
    shift
    # One version for every Python from 3.11 on; wheels only, as tools/venv.sh installs them.
    "$uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --fork-strategy fewest --only-binary :all: --generate-hashes --no-annotate \
        --no-emit-index-url --custom-compile-command "make lock" --output-file "$output" "$@"
    if grep -nE '://' "$output"; then
        echo "$output names an address: locks hold names, versions and hashes only." >&2
        exit 1
    fi
}

compile requirements-dev.lock --extra dev "$@"
# Constrained by the widest lock, the other two are subsets of it.
compile requirements-stack.lock --extra stack --constraint requirements-dev.lock "$@"
compile requirements.lock --constraint requirements-dev.lock "$@"
