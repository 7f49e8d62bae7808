"""Engines that answer questions for a small part of what one big model costs."""

__version__ = "0.1.0"
