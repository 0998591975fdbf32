#!/usr/bin/env bash
# Makes causal.billb again: a network of the same shape that sees no later frame takes
# the weights of gestures.onnx, and learns on with that network as its teacher. It wants
# the Python package billnet.
set -euo pipefail
cd "$(dirname "$0")"
run=${1:-causal.run}
mkdir -p "$run"
python - "$run/causal.onnx" <<'PYTHON'
import sys
import billnet
from billnet.nn import BILLNET

clip = billnet.load("gestures.onnx")
net = BILLNET(causal=True, steps=16)
net.load_state_dict(clip.state_dict())
net.labels = clip.labels
billnet.export(net, sys.argv[1], auxiliary=True)
PYTHON
billc train "$run/causal.onnx" -o "$run/trained.bill" --data gestures --teacher gestures.onnx --stages 'all{steps=700,rate=0.003,recalibrate=10}' --eval-clips 300
billc compile "$run/trained.bill" --strict-binary --stream --ledger=none -o causal.billb
billc compile "$run/trained.bill" --strict-binary --ledger=none -o "$run/clip.billb"
billc eval "$run/clip.billb" --clips 2000
