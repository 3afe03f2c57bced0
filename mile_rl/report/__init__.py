"""Pages and pictures for people: the DAG, the history, what changed, what it did, MLflow runs."""
