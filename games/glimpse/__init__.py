"""Glimpse: which digit is it, seen through a small window that can be moved."""
