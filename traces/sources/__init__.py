"""Where histories come from: one file a source behind the Protocol in ``base``."""
