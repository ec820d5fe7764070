"""What a programmed design costs: devices, watts, seconds, square metres. Each has a file."""
