"""What one device does: its I-V law, its variation and the draws of it, and nonlinear solves."""
