"""``mile demo``: plays a recorded session as a person would, and shows what was waited for."""
