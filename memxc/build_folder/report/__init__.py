"""The report of a compilation: its model, made of a compiled network, read back, and as text.

`document` has the model, from which report.json and its schema come. `build` fills it from a
compiled network, `read` reads report.json back, and `text` writes it for a terminal.
"""
