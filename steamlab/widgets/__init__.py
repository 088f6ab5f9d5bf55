"""Buttons and sliders of the lessons."""
