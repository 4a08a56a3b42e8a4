"""Reading of files that others made: a fault is one line, and a small file takes little memory."""
