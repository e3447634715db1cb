"""Guided Meta-Policy Search, small enough to read."""
