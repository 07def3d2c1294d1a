"""What imports of every kind share: a file of rows, a result for each row, and a report on the whole.

rows        a row with its content or all of its faults; its result; the report
encodings   detects the encoding of a text
ndjson      rows as JSON, one object per line
tables      rows as CSV, and tables whose columns are the fields of a struct
columns     which column of a table with names of its own holds which fact, as `map` states it
numerals, dates, totals   numbers, dates and words for totals as they are written, Thai and English
job         an import of a tenant: counts, report, waiting for an unavailable database
reports     reports in MongoDB
streaming   reads a body while earlier rows are stored, and answers each row
"""
