"""What a web transaction record means: the feed format language, reading and rendering.

Pure: bytes and strings in, bytes and strings out. No sockets, clocks, logging or event loops.
"""
