"""Weights as codes and scales: numpy only, without networks and settings."""
