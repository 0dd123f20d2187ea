"""What all comparisons share: their input, how contenders are run and measured, how results are kept and shown."""
