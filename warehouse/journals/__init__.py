"""The journals as files: which there are, what each says, and where they go once they are in."""
