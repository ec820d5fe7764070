"""What one device does: its I-V law, its variation with the draws, and nonlinear solutions."""
