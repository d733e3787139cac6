"""Speed as ratios in one run: this project's function beside the usual stack, in turn, on the same interpreter."""
