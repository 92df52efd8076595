#!/bin/sh
# Brings .venv to the state that a lock file describes, and does nothing where it is there already.
#
# Usage: tools/venv.sh dev|stack
#
# .venv/installed holds what was installed last: this folder, the interpreter and the lock itself.
# It is removed before pip starts and written after pip ends, so an interrupted install is redone.
set -eu

cd "$(dirname "$0")/.."
want=$1
python=${PYTHON:-python3}
stamp=.venv/installed

describe() {
    printf 'folder %s\npython %s\n' "$PWD" "$(readlink -f .venv/bin/python)"
    cat "requirements-$1.lock"
    # What comes before the tools' settings says how the project itself is installed.
    sed '/^\[tool\.ruff\]/,$d' pyproject.toml
}

current() {
    [ -x .venv/bin/python ] && [ -f "$stamp" ] || return 1
    describe dev | cmp -s - "$stamp" && return 0
    # The development lock holds all of the stack's: going back to less would help nobody.
    [ "$want" = stack ] && describe stack | cmp -s - "$stamp"
}

current && exit 0

# Two commands started at once in one folder take turns.
if command -v flock >/dev/null; then
    exec 9>.venv.lock
    flock 9
    current && exit 0
fi

rm -f "$stamp"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "DashTrack needs Python 3.11 or newer; '$python' is older. Set PYTHON=/path/to/python3." >&2
    exit 1
}
# A checkout that moved has scripts that name its old folder.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    ! grep -qF " $PWD/.venv" .venv/pyvenv.cfg; then
    echo "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || {
        echo "Could not create a virtual environment: on Debian or Ubuntu, install python3-venv." >&2
        exit 1
    }
fi

echo "Installing requirements-$want.lock (downloads on the first run)"
# Wheels only: nothing is compiled, so no compiler is needed and no package's set-up code runs.
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: --requirement "requirements-$want.lock"
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input \
    --no-build-isolation --no-deps --no-index --editable .
describe "$want" >"$stamp.new"
mv "$stamp.new" "$stamp"
