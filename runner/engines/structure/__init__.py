"""What of a run is structure and what is a number, on which fast and packed stand."""
