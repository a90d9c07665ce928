"""The operator's own checker of prompts, reached over HTTP."""
