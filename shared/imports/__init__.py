"""What imports of every kind share: a file of rows, a verdict on each row, and a report on the whole.

rows        a row with its content or all of its faults; the verdict on it; the report
encodings   in which encoding a text is
ndjson      rows as JSON, one object a line
tables      rows as CSV, and tables whose columns are the fields of a shape
job         an import of a tenant: counts, report, patience with a database that is away
reports     reports in MongoDB
streaming   reading a body while earlier rows are stored, and answering each row
"""
