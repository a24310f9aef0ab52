"""What replies are made of: a file a noun, with its types and how they are made from records."""
