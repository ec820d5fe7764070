"""What a programmed design is turned into: netlists, and reports of what it costs."""
