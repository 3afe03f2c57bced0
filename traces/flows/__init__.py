"""OpenML flows -> components: one file a family (scikit-learn, weka, mlr) behind ``read_flow``."""
