"""What changes did to a metric over a history: effects with intervals, and chains of versions."""
