"""What is kept of a guest, and that it goes: photos, files that nobody names, exports, whole accounts."""
