#!/usr/bin/env bash
# Says in plain words what of the system the tests would like to have; with --packages, the Debian names alone.
set -euo pipefail
packages=()
words=()

need() { packages+=("$1"); words+=("$2"); }

has_chromium() {
  [ -n "${LEPTON_CHROMIUM:-}" ] && return 0
  for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v "$name" >/dev/null && return 0; done
  [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

has_chromium || need chromium "Chromium: the browser tests drive a real one and are skipped without it"
has_postgresql() { command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
has_postgresql || need postgresql "PostgreSQL: the tests of SQL sources start a real server and are skipped without it"
if [ "$(uname)" = Linux ]; then
  { command -v fc-list >/dev/null && fc-list | grep 'Noto Sans CJK' >/dev/null; } ||
    need fonts-noto-cjk "a Chinese font: screenshots of the Chinese interface show boxes without it"
  command -v fc-list >/dev/null || need fontconfig "fontconfig: the browser finds its fonts with it"
  command -v strace >/dev/null || need strace "strace: one test proves the order of writes to disk with it"
fi

if [ "${1:-}" = --packages ]; then
  echo "${packages[*]:-}"
elif [ ${#packages[@]} -gt 0 ]; then
  echo "Everything of Python and JavaScript is in place. Still missing on this machine, for the tests only:"
  printf '  - %s\n' "${words[@]}"
  [ "$(uname)" = Linux ] && echo "On Debian and Ubuntu: sudo apt-get install ${packages[*]}"
fi
exit 0
