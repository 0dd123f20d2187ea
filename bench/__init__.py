"""Benches: every figure in the README and in docs comes from a script here. ``python -m bench`` runs them all."""
