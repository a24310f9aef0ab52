"""How the command writes what it was told: tables, JSON, YAML, single fields, ages and sizes."""
