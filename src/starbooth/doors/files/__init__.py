"""Stored files by signed links: `/files/<key>?expires=…&signature=…`. No signature, no file, and no hint."""
