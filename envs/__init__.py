"""Environments in which the agent learns, and what real operators cost: run from a checkout, never installed."""
