"""What all tests share: on CI, hypothesis draws the same examples every time, so that a run can be repeated."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
