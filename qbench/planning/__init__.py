"""Settings -> levels -> rows -> runs -> segments; pure, without TensorFlow and Hydra."""
