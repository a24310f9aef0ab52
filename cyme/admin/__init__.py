"""The page that every branch serves: its HTML, CSS and ES modules, as they are sent."""
