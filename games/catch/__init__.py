"""Catch: a ball falls, and a paddle should be where it lands."""
