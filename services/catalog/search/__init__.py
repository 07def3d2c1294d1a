"""Search: an inverted index of character n-grams of the courses of each tenant, and its queries. Pure.

grams      texts as n-grams: folded, without tone marks, so that most of them survive a misspelling
segment    the postings and filters of some thousand courses; never changed once it is built
tenant     the courses of one tenant: segments, and which of their courses are live
find       scores, filters, facets and cursors over what a tenant sees
index      applies events of the catalog to the index

Score and order of a course depend only on the query, the course and the weights of the query's n-grams, and a cursor
contains these weights: whatever else changes in the catalog, the next page continues where the last one ended.
"""
