"""Tables 1 and 2, made: the paper's numbers, the runs, the tables."""
