#!/usr/bin/env bash
# The tables of speed on an accelerator, in under ten minutes:
#
#     benchmarks/gpu.sh [--tiny] [JAXMARL/baselines]
#
# environments, QMIX and NDQ for 1, 32 and 256 members, beside JaxMARL where it is installed and its baselines are given,
# and where the time goes. Everything that is printed, and every number, is left in $OUT (by default results/gpu).
# A part that takes too long is stopped, and the rest is done. `--tiny` shows on any machine that it runs.
set -u
cd "$(dirname "$0")/.."
out=${OUT:-results/gpu}
mkdir -p "$out"
tiny=""
[ "${1:-}" = --tiny ] && { tiny=1; shift; }
baselines=("$@")
failed=0

part() { # its name, most seconds, the command
  local name=$1 most=$2
  shift 2
  echo "== $name" | tee -a "$out/all.md"
  timeout "$most" "$@" 2>"$out/$name.err" | tee "$out/$name.md" | tee -a "$out/all.md"
  local code=${PIPESTATUS[0]}
  if [ "$code" -ne 0 ]; then
    echo "$name ended with $code: $(tail -n 1 "$out/$name.err")" | tee -a "$out/all.md"
    failed=1
  fi
}

: >"$out/all.md"
{ nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo "no NVIDIA GPU"; } | tee -a "$out/all.md"
git log -1 --format='commit %h' 2>/dev/null | tee -a "$out/all.md"

if [ -n "$tiny" ]; then
  part environments 300 python -m benchmarks.environments --tasks navigation --copies 2 --repeats 1 --json "$out/environments.json"
  part qmix 400 python -m benchmarks.against_jaxmarl "${baselines[@]}" --quick --cases qmix --members 2 --repeats 1 --no-starts \
    --json "$out/qmix.json"
  part ndq 300 python -m benchmarks.train_step --quick --members 1 2 --repeats 1 --chunk 2 --json "$out/ndq.json"
  part parts 300 python -m benchmarks.parts --algorithms qmix --task sensor --members 1 --repeats 1 --json "$out/parts.json" \
    --set hidden=4 num_envs=2 batch_episodes=2 replay_episodes=4
else
  part environments 110 python -m benchmarks.environments --tasks navigation predator_prey hallway --copies 16 256 4096 16384 \
    --repeats 3 --json "$out/environments.json"
  part qmix 220 python -m benchmarks.against_jaxmarl "${baselines[@]}" --cases qmix --members 1 32 256 --repeats 3 --no-starts \
    --json "$out/qmix.json"
  part ndq 110 python -m benchmarks.train_step --members 1 32 256 --repeats 3 --json "$out/ndq.json"
  part parts 140 python -m benchmarks.parts --algorithms qmix ndq --members 1 32 --repeats 10 --json "$out/parts.json"
fi
exit "$failed"
