"""xAPI: statements of other systems, mapped to evidence by a tenant's own mapping.

statements   parses and checks a statement; the verbs that give evidence. Pure
mapping      a tenant's mapping of activities to skills, and the evidence of a statement. Pure
store        statements and mappings in MongoDB
grades       reads grade exports of learning platforms, to whose activities the same mapping applies. Pure
receiver     stores the statements of a request, all or none, each once
"""
