"""Uploads to Cloud Discovery of MCAS."""
