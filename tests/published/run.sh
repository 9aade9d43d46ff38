#!/usr/bin/env bash
# The Python that ships, tried by the real `kernels`: without torch in an environment of its own, and
# with torch where `python3` has it. `run.sh [FOLDER]` takes a repository that `ridge publish
# --to-folder` wrote; without one the templates are filled in here.
set -euo pipefail
if [ $# -gt 0 ]; then
    RIDGE_PUBLISHED=$(cd "$1" && pwd)
    export RIDGE_PUBLISHED
fi
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export PYTHONDONTWRITEBYTECODE=1

python3 -m venv "$out/python"
"$out/python/bin/pip" install --quiet kernels==0.17.2
"$out/python/bin/python" -m unittest test_rules test_hub

if python3 -c 'import torch, kernels' 2>/dev/null; then
    python3 -m unittest test_hub test_launch test_chain test_torch
else
    echo "python3 has no torch and kernels: the tests of launches and operators are left out"
fi
