"""Search: an inverted index of character n-grams of the courses of each tenant, and its queries. Pure.

grams      divides texts into n-grams without tone marks; a misspelt word keeps most of its n-grams
segment    the postings and filter values of some thousand courses; never changed after it is built
tenant     the courses of one tenant: segments, and which of their courses are live
find       finds a page of the courses that a tenant sees, with scores, filters, facets and cursors
index      applies events of the catalog to the index

The score of a course depends only on the query, the course and the weights of the query's n-grams. A cursor contains
these weights. So the next page continues where the last one ended, even if the catalog changes.
"""
