"""Where our files lie, on a disk or in a bucket, and the signed links that open them."""
