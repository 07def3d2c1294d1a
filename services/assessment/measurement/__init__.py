"""Measures skill levels by item response theory: pure numpy, without a clock and without I/O.

response_models   how likely each answer to an item is at each level, and how much an item tells there
posterior         what the answers say of a level: estimate, intervals, probability of a requirement
stopping          when a skill has been asked enough
selection         which skill and which item come next; how often an item may be shown
"""
