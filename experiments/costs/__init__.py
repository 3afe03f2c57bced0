"""Cost calibration: measures what real operators cost, fits the model that ships in ``envs/costs``."""
