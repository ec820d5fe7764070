"""The report of a compilation.

`document` has its model, from which report.json and its schema come. `build` fills it from a
compiled network, `read` reads report.json back, and `text` writes it for a terminal.
"""
