"""Runs become numbers: measures, intervals, paired tests, baselines. Knows how to measure, not what is measured."""
