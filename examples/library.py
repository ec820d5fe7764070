"""The seven commands of README.md as a script: library.py MODEL.onnx DATA.npz OUT TWIN.onnx."""

import sys
from pathlib import Path

import numpy as np

import memxc

x, y = (np.load(sys.argv[2])[name] for name in "xy")
build = memxc.compile(sys.argv[1], samples=(x, y))  # raises all faults that memxc check finds
print(build, build.report.resources.total.crossbars)
print("verify", build.verify(count=4).ok, "lvs", build.lvs().ok, build.save(sys.argv[3]))
print("scores", [row.mean for row in build.simulate(x, y, sweep={"wire.r_word_line": [0, 1]}).rows])
Path(sys.argv[4]).write_bytes(build.twin().SerializeToString())
