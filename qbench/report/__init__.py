"""Makes tables, figures and the page from records only; imports no TensorFlow."""
