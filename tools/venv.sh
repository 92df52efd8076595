#!/bin/sh
# Brings .venv to the state that a lock file describes, and does nothing where it is there already.
#
# Usage: tools/venv.sh dev|stack
#
# The stamp .venv/installed says what was installed last: where, for which interpreter, from which
# lock. It is removed before pip starts and written after pip ends.
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

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "DashTrack needs Python 3.11 or newer; '$python' is older. Set PYTHON=/path/to/python3." >&2
    exit 1
}
# Without a stamp an install was cut short, perhaps in the middle of a package, which pip would take
# for a whole one; and in a checkout that moved, scripts name the old folder. Both start afresh.
if ! [ -f "$stamp" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    ! grep -qF " $PWD/.venv" .venv/pyvenv.cfg; then
    echo "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || {
        echo "Could not create a virtual environment: on Debian or Ubuntu, install python3-venv." >&2
        exit 1
    }
fi
rm -f "$stamp"

case $want in stack) size_mb=120 ;; *) size_mb=210 ;; esac
echo "Installing requirements-$want.lock; the first time this downloads some $size_mb MB"
# Wheels only: nothing is compiled, so no compiler is needed and no package's set-up code runs.
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: --requirement "requirements-$want.lock"
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input \
    --no-build-isolation --no-deps --no-index --editable .
describe "$want" >"$stamp.new"
mv "$stamp.new" "$stamp"
