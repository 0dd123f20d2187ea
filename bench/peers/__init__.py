"""Who Postcart is compared with, each written as its own experts would write it."""
