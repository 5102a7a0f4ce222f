"""The status on a screen: lines that fit its width, and those that matter most for its height."""
