"""One file a cell, found by its name: the constant CELL is its contract."""
