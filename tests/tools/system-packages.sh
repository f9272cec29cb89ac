#!/usr/bin/env bash
# Sees to Chromium, a Chinese font, strace and PostgreSQL for the tests: installs them as root on Debian, else says how to.
set -euo pipefail
missing=$(bash "$(dirname "$0")/what-is-missing.sh" --packages)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086  # one word per package is meant
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  bash "$(dirname "$0")/what-is-missing.sh"
fi
