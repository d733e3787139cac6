"""`hms import`: people and visits of an older system, out of its CSV files."""
