"Scripts that measure; each prints a table, and writes its figures with --json FILE"
