"""The settings: a file a section of the help, each setting in one of them and nowhere else."""
