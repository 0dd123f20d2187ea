"""Postcart's own side of the comparisons: programs that do the work once and tell their figures."""
