"""Moves web transaction records: owns every socket, file, timer and task."""
