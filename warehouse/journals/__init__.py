"""The journals as files: which there are, their records, and where they go once they are in."""
