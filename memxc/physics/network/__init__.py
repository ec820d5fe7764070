"""The linear network of a crossbar and its solution: lines, devices, wires and amplifiers."""
