"""What lies where in a branch's directory."""

DATABASE_FILE = "cyme.sqlite"
BACKUPS_DIR = "backups"
WORKERS_DIR = "workers"  # apart from the branch's own files, whose names an instance may have
DETACHED_LOG_FILE = "cyme-branch.log"
