"""What both trainings share: backbone, tuning, batches, a course that can be resumed. Knows no stage's loss."""
