"""What all tests share: on CI, hypothesis draws the same examples every time, so that a run can be repeated."""

import os
import signal

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

# A shell starts what runs in the background deaf to Ctrl-C, and its children inherit that: processes that tests
# interrupt would not hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
