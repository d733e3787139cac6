"""The whole: is it up, and what does it speak."""
