"""`make demo`: some days of a believable service department, played through the public interfaces of a local platform."""
