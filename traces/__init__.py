"""Histories of real people iterating on machine-learning workflows, from many sources, in one schema.

Part of the workshop: run from a checkout, not installed. ``traces.schema`` has the types, ``traces.reader``
and ``traces.writer`` their Parquet form, ``traces.sources`` one file a source, ``traces.describe`` a report.
"""
