"""The seven commands of README.md as a script: library.py MODEL.onnx DATA.npz OUT TWIN.onnx."""

import sys

import numpy as np
import onnx

import memxc

model, data, out, twin = sys.argv[1:]
x, y = (np.load(data)[name] for name in "xy")
build = memxc.compile(model, samples=(x, y))  # raises all that `memxc check` finds, before any work
print(build, build.report["resources"]["total"]["crossbars"])
print("verify", build.verify(count=4).ok, "lvs", build.lvs().ok, build.save(out))
print("scores", [row.mean for row in build.simulate(x, y, sweep={"wire.r_word_line": [0, 1]}).rows])
onnx.save(build.twin(), twin)
