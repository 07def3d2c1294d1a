"""Item banks: the questions of assessment sessions, in versions that never change.

model → store (MongoDB); formats: JSON, CSV, QTI 3
"""
