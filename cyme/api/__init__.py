"""The HTTP API: parse, authorise, answer. Decisions are made elsewhere."""
