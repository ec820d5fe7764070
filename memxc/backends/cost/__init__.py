"""What a programmed design costs: devices, watts, seconds, square metres. A file a cost."""
