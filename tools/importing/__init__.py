"""`hms import`: people, visits, bills and payments of an older system, out of its CSV files."""
