#!/usr/bin/env bash
# Makes the virtual environment $1 with a Python that is new enough; keeps one that is there and works.
set -euo pipefail
venv=$1

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  exit 0
fi

for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
  command -v "$python" >/dev/null && new_enough "$python" && break
  python=
done
if [ -z "$python" ]; then
  echo "lepton_lab needs Python 3.11 or newer; python3 here is $(python3 --version 2>&1 || echo missing)." >&2
  echo "Install one (Debian: apt-get install python3 python3-venv; macOS: brew install python@3.13)," >&2
  echo "or name it: make setup PYTHON=/path/to/python3.11" >&2
  exit 1
fi

echo "Making $venv with $($python --version)"
if ! "$python" -m venv --clear "$venv"; then
  echo "$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 1
fi
