#!/usr/bin/env bash
# Makes everything in this folder again: trains the network on generated clips,
# compiles it, writes it as ONNX, and shows some clips. The same bytes come out on
# the same kind of processor; interrupted, it goes on where it was.
set -euo pipefail
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin" ../../cmd/billc ../../cmd/billrun
PATH=$bin:$PATH
run=${1:-run} # the folder of the run: checkpoints, logs, the network after every stage

[ -e gestures.bill ] || billc new -o gestures.bill
resume=()
[ -e "$run/checkpoint" ] && resume=(--resume)
billc train gestures.bill -o gestures.trained.bill --data gestures --stages 'float{recalibrate=10}, all{recalibrate=10}' --run-dir "$run" "${resume[@]}"
cp "$run/curves.svg" "$run/stages.json" .

billc compile gestures.trained.bill --strict-binary -o gestures.billb
billc compile gestures.trained.bill --emit=onnx --stop-after=none --ledger=none -o gestures.onnx
billc verify gestures.onnx gestures.billb

rm -rf clips
billc clips -o clips
billc clips -o clips.npy
billc eval gestures.billb --clips 2000 --confusion confusion.svg | tee accuracy.txt
