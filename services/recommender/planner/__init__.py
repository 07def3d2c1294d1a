"""The planner: inputs and a view of the catalog in, a learning path out. Callers use `pipeline`.

index       the catalog as arrays: vocabulary, segments, prerequisite graph
optimizer   candidates, fixed courses, search: which courses, in which order (compiled)
exact       prerequisite closures of least hours, and what remains after a path (plain Python)
explain     the path with its figures, open gaps and texts; why-not, similar courses
"""
