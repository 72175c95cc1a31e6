#!/usr/bin/env bash
# Measures policypin on a repository of 10,000 policies, 500 manifests and 2,000
# commits, beside Git and the official Cedar engine answering the same questions
# in the same run, and prints Markdown tables. RUNS is how often each command
# runs, 9 by default. ONLY=decisions leaves out what has no decisions or types.
# The official engine needs Node, and npm ci in internal/cedar/testdata/official.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
runs=${RUNS:-9}
work=$(mktemp -d "${TMPDIR:-/tmp}/policypin-bench.XXXXXX")
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
unset "${!GIT_@}" "${!KEYCARD_@}" "${!POLICYPIN_@}" CI
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Bench GIT_AUTHOR_EMAIL=bench@localhost
export GIT_COMMITTER_NAME=Bench GIT_COMMITTER_EMAIL=bench@localhost

(
  cd "$here/.."
  CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$work/bin/policypin" ./cmd/policypin
  go build -o "$work/bin/" ./bench/genrepo ./bench/gendecisions ./bench/authorize ./bench/measure ./bench/countproxy
  "$work/bin/genrepo" "$work/repo"
  "$work/bin/gendecisions" "$work/impact"
  "$work/bin/gendecisions" -requests 2000 -cases 10000 "$work/200"
  "$work/bin/gendecisions" -requests 2000 -policies 1000 "$work/1000"
)
export PATH="$work/bin:$PATH"
cd "$work/repo"

table() {
  printf '\n### %s\n\n| command | median | fastest–slowest | peak MiB | ratio |\n| --- | --- | --- | --- | --- |\n' "$1"
  shift
  measure "$@"
}

official() {
  printf "node '%s/official.mjs' %s" "$here" "$*"
}
if ! command -v node >/dev/null || [ ! -d "$here/../internal/cedar/testdata/official/node_modules" ]; then
  echo 'run.sh: without Node and its modules, the official engine is left out' >&2
  official() { :; }
fi

# beside COMMAND... prints nothing without the official engine.
beside() {
  [ -z "$(official)" ] || "$@"
}

# What C Git needs to list and read what differs between two commits.
git_diff() {
  # shellcheck disable=SC2016 # for the shell that measure runs
  printf 'git diff --raw --no-abbrev --no-renames %s HEAD | %s | git cat-file --batch --buffer >/dev/null' "$1" \
    "awk '{ if (\$3 !~ /^0+\$/) print \$3; if (\$4 !~ /^0+\$/) print \$4 }'"
}

echo "## $(date -u +%Y-%m-%d), $(policypin version | head -n 1)"
echo
if [ -r /proc/cpuinfo ]; then
  echo "$(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), $(uname -sr),"
fi
echo "$(git --version), $(cd "$here" && go version | cut -d ' ' -f 3-). Medians of $runs; the ratio is to the last line of a table."
echo "Repository: $(git rev-list --count HEAD) commits, $(git ls-files | wc -l) files, pack of $(du -h .git/objects/pack/*.pack | cut -f 1)."

beside table 'Check all 10,000 policies, types included, beside the official engine' -n "$runs" \
  'policypin validate=policypin validate >/dev/null' \
  "the official engine, in Node=$(official validate "'$work/repo'") >/dev/null"

for policies in 200 1000; do
  beside test "$(authorize "$work/$policies" 2000)" = "$(eval "$(official authorize "'$work/$policies'" 2000)")"
  beside table "Decide 2,000 requests by $policies policies, entities and all read from files" -n "$runs" \
    "policypin's packages=authorize '$work/$policies' 2000 >/dev/null" \
    "the official engine, in Node=$(official authorize "'$work/$policies'" 2000) >/dev/null"
done

table 'Which of 400,000 logged requests does one changed policy of 200 decide otherwise' -n "$runs" \
  "policypin impact=policypin impact -C '$work/impact' HEAD >/dev/null" \
  "reading the log with wc -l=wc -l '$work'/impact/requests/*.jsonl >/dev/null"

table 'Run 10,000 decision tests' -n "$runs" \
  "policypin test=policypin test -C '$work/200' >/dev/null" \
  "reading them with wc -l=wc -l '$work'/200/tests/*.yaml >/dev/null"

# A commit of one changed policy, with the hook and without.
git clone --quiet --local "$work/repo" "$work/hooked"
git clone --quiet --local "$work/repo" "$work/plain"
policypin hook install -C "$work/hooked" >/dev/null
# shellcheck disable=SC2016 # for the shell that measure runs
edit='n=$(date +%N); for d in hooked plain; do (cd "$WORK/$d" && sed -i.orig "s/retired-[0-9x]*/retired-$n/" policies/area00/team00/p000.cedar && git add policies/area00/team00/p000.cedar); done'
WORK=$work table 'Commit one changed policy of 10,000' -n "$runs" -before "$edit" \
  "git commit, with policypin's hook=cd '$work/hooked' && git commit --quiet --message Change" \
  "git commit, without a hook=cd '$work/plain' && git commit --quiet --message Change"
WORK=$work sh -c "$edit"
table 'Check one staged policy, and its layout' -n "$runs" \
  "policypin validate --staged --fmt=policypin validate -C '$work/hooked' --staged --fmt >/dev/null" \
  "policypin fmt --check --staged=policypin fmt -C '$work/hooked' --check --staged >/dev/null" \
  "git diff --cached --raw=cd '$work/hooked' && git diff --cached --raw >/dev/null"

[ "${ONLY:-}" != decisions ] || exit 0

table 'Start' -n "$runs" 'policypin version=policypin version >/dev/null' 'git --version=git --version >/dev/null'

for base in HEAD~5 HEAD~1000; do
  files=$(git diff --raw --no-renames "$base" HEAD | wc -l)
  table "What changed from $base to HEAD ($files files)" -n "$runs" \
    "policypin diff $base HEAD=policypin diff $base HEAD >/dev/null" \
    "the same as JSON=policypin diff --format json $base HEAD >/dev/null" \
    "git diff --raw, git cat-file --batch=$(git_diff "$base")"
done

table 'Check all 10,000 policies, types included' -n "$runs" \
  'policypin validate=policypin validate >/dev/null' \
  'policypin validate --rev HEAD=policypin validate --rev HEAD >/dev/null' \
  'reading the same with git cat-file --batch=git ls-tree -r HEAD | awk "{ print \$3 }" | git cat-file --batch --buffer >/dev/null'

sed -i.orig 's/resource.id != "retired-[0-9]*"/resource.id != "retired-x"/' policies/area00/team00/p000.cedar
rm policies/area00/team00/p000.cedar.orig
git add policies/area00/team00/p000.cedar
table 'Check one staged policy (a pre-commit hook)' -n "$runs" \
  'policypin validate --staged=policypin validate --staged >/dev/null' \
  'git diff --cached --raw=git diff --cached --raw >/dev/null'
table 'Show one changed policy' -n "$runs" \
  'policypin diff=policypin diff >/dev/null' \
  'policypin diff --staged=policypin diff --staged >/dev/null' \
  'git diff HEAD=git diff HEAD >/dev/null'
git reset --quiet --hard

# A publish changes the clone, so each run gets a new one. The pins stay in it.
table 'Publish 10,000 new policies in 500 sets to the local zone, in process' -n 3 -cold \
  -before "rm -rf '$work/clone' && git clone --quiet --local '$work/repo' '$work/clone'" \
  "policypin publish=policypin publish -C '$work/clone' --target local >/dev/null 2>&1"
table 'Publish the same commit again' -n "$runs" \
  "policypin publish=policypin publish -C '$work/clone' --target local >/dev/null 2>&1"

# The same through HTTP and with a bare remote, where the requests are counted.
cat >"$work/project" <<PROJECT
apiVersion: policypin.dev/v1
kind: Project
targets:
  bench:
    zone_id: zone_bench
default_target: bench
PROJECT
git clone --quiet --local "$work/repo" "$work/http"
cd "$work/http"
git init --quiet --bare --initial-branch=main "$work/origin.git"
git remote set-url origin "$work/origin.git"
cp "$work/project" policypin.yaml
git commit --quiet --all --message 'Publish to a zone over HTTP'
git push --quiet origin main
export KEYCARD_API_TOKEN=bench-token # for the server that is started here

counted() {
  printf '\n### Requests: %s\n\n' "$1"
  shift
  countproxy "$KEYCARD_API_UPSTREAM" "$@"
}
policypin serve --addr 127.0.0.1:0 --db "$work/serve.db" --zone zone_bench >"$work/serve.out" 2>&1 &
server=$!
for _ in $(seq 100); do
  KEYCARD_API_UPSTREAM=$(sed -n 's/.*\(http:\/\/127[^ ]*\).*/\1/p' "$work/serve.out" | head -n 1)
  [ -z "$KEYCARD_API_UPSTREAM" ] || break
  sleep 0.1
done
[ -n "$KEYCARD_API_UPSTREAM" ] || { cat "$work/serve.out" >&2; exit 1; }

counted 'first publish of 10,000 policies in 500 sets' policypin publish
counted 'the same commit again' policypin publish
sed -i.orig 's/resource.id != "retired-[0-9]*"/resource.id != "retired-x"/' policies/area00/team00/p000.cedar
rm policies/area00/team00/p000.cedar.orig
git commit --quiet --all --message 'Change one policy'
git push --quiet origin main
counted 'one changed policy' policypin publish
