"""Sessions that could have been a person's: workflows as people build them, edited by the prediction model."""
