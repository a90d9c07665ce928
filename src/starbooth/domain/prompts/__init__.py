"""What may be asked for: reading prompts, the operator's word list, and who was refused too often."""
