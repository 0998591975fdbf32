"""How soon a network with a label after every frame knows a gesture.

    billrun causal.billb clips/*/*.gif --json | python3 delay.py

reads the lines of billrun, of clips in folders called like their labels, and prints the share of clips that have their label
after each frame, and from which frame on it stays: 0 is the gesture's last frame, -3 three frames before it.
"""

import json
import statistics
import sys
from pathlib import PurePath

clips = {}
for line in sys.stdin:
    result = json.loads(line)
    if result["error"]:
        sys.exit(f"{result['clip']}: {result['error']}")
    clips.setdefault(result["clip"], []).append(result["label"] == PurePath(result["clip"]).parent.name)
if not clips:
    sys.exit("no clips: pipe the lines of billrun MODEL CLIP... --json into this program")

frames = max(map(len, clips.values()))
for frame in range(frames):
    right = [labels[frame] for labels in clips.values() if frame < len(labels)]
    print(f"frame {frame:3}  {100 * sum(right) / len(right):6.1f} % of {len(right)} clips")
settled = []
for labels in clips.values():
    wrong = [frame for frame, right in enumerate(labels) if not right]
    if labels[-1]:
        settled.append((wrong[-1] + 1 if wrong else 0) - (len(labels) - 1))
print(f"{len(settled)} of {len(clips)} clips end with their label", end="")
if settled:
    print(f", which stays from frame {statistics.median(settled):g} on (median; {min(settled)} to {max(settled)}; 0 is the last)", end="")
print()
