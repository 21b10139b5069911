"""Exercises: the notebooks' student build, checks without a service, and marks."""
