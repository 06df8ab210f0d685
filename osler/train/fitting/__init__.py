"""What both trainings share: backbone, tuning, batches, a plan that can be resumed. Knows no stage's loss."""
