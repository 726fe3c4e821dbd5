"""The HTTP service: `sdt serve`. Nothing here is imported before it is asked for; it needs the extra `serve`."""
