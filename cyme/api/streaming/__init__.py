"""Server-sent events to many clients at once: frames, sockets and who gets what."""
