"""The main job for real, on this machine alone: invented feeds in, mails out, with servers on loopback."""
