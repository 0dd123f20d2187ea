"""TRACK's rules: what happened to a parcel, what did not, and when it will be there (docs/tracking.md)."""
