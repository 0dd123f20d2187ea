"""DETECT: a visitor's events become sessions, their ends become abandonments (docs/decisions.md)."""
