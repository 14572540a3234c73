"""Agents learn from what worked, prove what they claim, and earn trust."""

__version__ = "0.1.0"
