"""Workflows as people write them: operators, the DAG they make, its signatures and its edits."""
