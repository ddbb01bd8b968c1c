"""What was found out about environments while settings were looked for, for the page."""

__all__ = ["NOTES"]

NOTES: dict[str, str] = {}
"""By environment."""
