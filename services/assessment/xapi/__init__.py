"""xAPI: statements of other systems, mapped to evidence by a tenant's own mapping.

statements   reading and checking a statement; which verbs say something about a level. Pure
mapping      a tenant's mapping of activities to skills, and what a statement says by it. Pure
store        statements and mappings in MongoDB
receiver     takes statements: all of a request or none, each once
"""
