"""What a programmed design costs: devices, watts, seconds, square metres. Each has a file.

`rows` says what each figure of a report is and imports no code that measures. The others may import
passes, mapping, netlist names and all below. The report asks them.
"""
