"""The files of a plugin package, with <name> and the like to be filled in."""
