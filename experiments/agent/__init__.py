"""The agent that decides what to keep: its oracle, training and evaluation."""
