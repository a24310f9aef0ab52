"""Adapters: each touches one part of the world and translates its errors at the edge."""
