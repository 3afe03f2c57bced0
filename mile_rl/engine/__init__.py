"""One iteration: capture, sign, slice, diff, plan, execute, decide, record."""
