"""Explains a path: its figures, what stays open and why, texts, and answers to questions about it."""
