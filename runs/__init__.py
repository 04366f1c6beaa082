"""Runs on disk and as processes: folders, records, live reading, the supervisor, hardware readings."""
