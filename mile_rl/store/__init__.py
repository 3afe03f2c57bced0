"""The store: artifacts on disk, codecs, the budget in bytes, and the catalog of everything that ran."""
