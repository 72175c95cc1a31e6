#!/usr/bin/env bash
# Makes docs/images/comment.png: the sample comment of internal/report as a
# reader of GitHub's Markdown shows it, in headless Chromium. The page itself is
# a golden file, which the tests of internal/report keep:
#   go test ./internal/report -run TestSampleComment -update
# Needs chromium (on Debian: apt-get install chromium fonts-liberation
# fonts-dejavu-core).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

browser=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome; do
  [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
[ -n "$browser" ] || { echo 'missing: chromium' >&2; exit 1; }

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
# Containers give a browser neither a sandbox nor much shared memory; the page is
# ours and loads nothing.
"$browser" --headless --no-sandbox --disable-dev-shm-usage --disable-gpu --hide-scrollbars \
  --user-data-dir="$profile" --force-device-scale-factor=1 --window-size=912,1500 \
  --screenshot="$PWD/docs/images/comment.png" "file://$PWD/internal/report/testdata/comment.html"
