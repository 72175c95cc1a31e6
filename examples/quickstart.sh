#!/usr/bin/env bash
# The main job of policypin, end to end, in a throw-away repository: publish a
# commit, change a policy, see what that means, publish and activate it, go back.
# It needs Go and Git, no account and no network, and leaves nothing behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/policypin-quickstart.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Whoever runs this has settings of their own; none of them matter here.
unset "${!GIT_@}" "${!KEYCARD_@}" "${!POLICYPIN_@}"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
export GIT_AUTHOR_NAME='Quick Start' GIT_AUTHOR_EMAIL=quickstart@localhost
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then say() { printf '\n# %s\n' "$*"; }; fi
run() {
  printf '$ %s\n' "$*"
  "$@"
}

say 'Build policypin.'
(cd "$here/.." && go build -o "$work/bin/policypin" ./cmd/policypin)
export PATH="$work/bin:$PATH"
run policypin version

say 'A repository with seven Cedar policies and one manifest, and a bare remote.'
git init --quiet --bare --initial-branch=main "$work/origin.git"
git init --quiet --initial-branch=main "$work/clone"
cd "$work/clone"
git remote add origin "$work/origin.git"
cp -R "$here/quickstart/." .
git add .
git commit --quiet --message 'Keep the policies of our agents as code'
run git push --quiet --set-upstream origin main
run git ls-files

say 'Check everything, types against the Cedar schema included.'
run policypin validate

say 'Publish the commit to the local zone: an immutable version, and a pin on the remote.
# It decides nothing yet: in a new zone a set of the platform is active.'
run policypin publish --target local --remote origin

say 'Change a policy: only the close group writes to the ledger, the rest of finance reads.'
cp policies/finance-ledger.cedar "$work/before"
sed 's/^  principal.groups.contains("finance") &&$/  (principal.groups.contains("close") ||\n   principal.groups.contains("finance") \&\& action == Keycard::Action::"ReadTools") \&\&/' \
  "$work/before" >policies/finance-ledger.cedar
run git commit --quiet --all --message 'Only the close group writes to the ledger'
run git push --quiet

say 'What does the commit change?'
run policypin diff HEAD~1 HEAD

say 'What would publishing and activating it do? The plan is kept as what was approved.'
run policypin plan --target local --remote origin --activate --out "$work/plan.json"

say 'Publish exactly that plan, pin it, and let it decide.'
run policypin publish --target local --remote origin --activate --plan "$work/plan.json"

say 'The same again does nothing.'
run policypin publish --target local --remote origin --activate

say 'It was a mistake: back to the version before.'
run policypin activate --target local --remote origin agents previous

say 'What was published, from which commit, and what decides now?'
run policypin log --target local --remote origin agents

say 'A pin is an annotated tag. Anybody with a clone can read it.'
run git cat-file -p policypin/local/agents/v2
printf "$ git for-each-ref --format='%%(contents:subject)%%0a%%0a%%(contents:body)' refs/tags/policypin/local/agents/v2 | git interpret-trailers --parse\n"
git for-each-ref --format='%(contents:subject)%0a%0a%(contents:body)' refs/tags/policypin/local/agents/v2 |
  git interpret-trailers --parse

say 'Done. docs/pin.md explains the pin; README.md has the way to a real zone.'
