"""Measures skill levels by item response theory: pure numpy, without a clock and without I/O.

response_models   probability of each answer at each level, and the information of an item
posterior         estimate, intervals and probability of a requirement, given the answers
stopping          when to stop asking about a skill
selection         the next skill and item; how often an item may be shown
"""
