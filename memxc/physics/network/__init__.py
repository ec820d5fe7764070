"""The linear network of a crossbar, solved: lines, devices, wires and amplifiers."""
