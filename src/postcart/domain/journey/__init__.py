"""JOURNEY: abandonments of one person become episodes, their steps become jobs (docs/decisions.md)."""
